"""The report page. Uses results, computes none."""
