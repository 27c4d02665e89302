"""The command line: thin commands over the library; nothing heavy is imported until a command needs it."""
