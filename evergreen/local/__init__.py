"""The embedded platform, and runs of a pipeline on this machine."""
