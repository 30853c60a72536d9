"""Local maxima of a volume, and bright blobs of an image."""
