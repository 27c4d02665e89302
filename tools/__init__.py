"""What `make` runs: generated pages and golden files. Not part of the package."""
