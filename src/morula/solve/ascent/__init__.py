"""Dual ascent: bounds, margins, and forests of millions of nodes."""
