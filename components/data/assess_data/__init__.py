"""Say whether data is small or large, find its long tail, and say what follows."""
