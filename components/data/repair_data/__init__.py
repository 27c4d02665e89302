"""CleanData: repair values that are written wrongly, log it, set aside what cannot be repaired."""
