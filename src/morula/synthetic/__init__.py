"""Embryos with known lineages, rendered as light-sheet movies."""
