"""What a movie and its annotations say about themselves: the settings `morula init` writes."""
