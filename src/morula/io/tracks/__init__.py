"""Tracks and candidate graphs from and to files: one door (`files`), one reader per format."""
