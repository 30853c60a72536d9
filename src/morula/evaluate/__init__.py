"""Errors of a reconstruction against annotations or dense truth."""
