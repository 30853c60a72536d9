"""What finished blocks leave behind, in one SQLite file per run."""
