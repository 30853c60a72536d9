"""The problem as an integer program, solved to the proven optimum."""
