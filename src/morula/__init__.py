"""morula: cell lineages of whole embryos from light-sheet movies, learned from a few clicked tracks.

    movie + annotations --train-->      model
    movie + model       --detect-->     detections
    detections          --candidates--> candidate graph
    candidate graph     --solve-->      lineages        (cost weights chosen by tune, on validation annotations)
    lineages + truth    --evaluate-->   report
    lineages            --export-->     GEFF, CSV, napari

Public names load on first use, so that importing morula costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "CandidateGraph": "morula.core.graph",
    "Detections": "morula.core.detections",
    "Lineages": "morula.core.lineages",
    "Movie": "morula.core.movie",
    "MorulaError": "morula.errors",
    "Selection": "morula.core.lineages",
    "Tracks": "morula.core.tracks",
}

__all__ = ["CandidateGraph", "Detections", "Lineages", "MorulaError", "Movie", "Selection", "Tracks", "__version__"]

if TYPE_CHECKING:
    from morula.core.detections import Detections
    from morula.core.graph import CandidateGraph
    from morula.core.lineages import Lineages, Selection
    from morula.core.movie import Movie
    from morula.core.tracks import Tracks
    from morula.errors import MorulaError


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'morula' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
