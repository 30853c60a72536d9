"""Learning the cell indicator and the movement vectors from sparse points."""
