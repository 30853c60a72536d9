"""Choosing the cost weights on validation annotations."""
