"""Turn a folder of images or texts into a structured table of metadata."""
