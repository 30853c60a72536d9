"""The command line: one command per job; parses, calls, prints."""
