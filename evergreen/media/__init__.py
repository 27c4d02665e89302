"""Folders of images or texts as a table: one row of metadata a file."""
