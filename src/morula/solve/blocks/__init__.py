"""Solving in blocks of space and time."""
