"""Movies from files: one door (`opening`), one reader per format, everything lazy."""
