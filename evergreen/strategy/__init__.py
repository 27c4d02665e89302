"""Small or large data, the long tail inside it, and what follows from the numbers."""
