"""Which features help, which repeat others, which leak the label, and which will be missing at serving."""
