"""Block-wise prediction; only local maxima are kept."""
