"""Keep a table as a version that can be read again as it was."""
