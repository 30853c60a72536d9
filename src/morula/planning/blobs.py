"""How a movie is cut for the baseline's blobs."""

from __future__ import annotations

from morula.comparing import outline_search, shape_for_blobs
from morula.config import RunConfig
from morula.core.movie import Movie
from morula.peaks.classical import cut_for_blobs
from morula.planning.detection import BlockGrid, lay_out_grid


def cut_for_baseline(movie: Movie, config: RunConfig) -> BlockGrid:
    """Cut a movie as the stage `blobs` would on this machine."""
    outline = outline_search(config)
    return lay_out_grid(cut_for_blobs(movie, outline, shape_for_blobs(movie, outline, config.detect)), movie)
