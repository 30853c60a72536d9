"""What finished blocks leave behind: one SQLite file per run, or a schema of a PostgreSQL database."""
