"""Movies and tracks from and to files. The only place that knows file formats."""
