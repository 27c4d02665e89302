"""CleanData: values that are written wrongly, corrected by policy, logged, and held to their distribution."""
