"""Every error morula raises on purpose, each saying what is wrong, what was measured, why, and how to mend it.

    MorulaError
    ├── ConfigError               (ValueError)         an unknown key, a value out of range
    ├── MovieError                (ValueError)         a movie that cannot be understood
    │   ├── MovieNotFoundError    (FileNotFoundError)  no movie, or one file of a series, at this place
    │   └── ChunkError            (OSError)            pixels that cannot be read or decoded
    ├── TracksError               (ValueError)         track points that make no lineage
    │   ├── TracksNotFoundError   (FileNotFoundError)  no track file at this place
    │   └── TracksFormatError                          a file that is not what its name says
    ├── AnnotationError           (ValueError)         annotations that do not fit the movie, or are too few
    ├── TrainingError             (RuntimeError)       training that went wrong (a loss that is not finite)
    ├── ModelError                (ValueError)         weights that do not fit the network or the movie
    ├── UnlinkableFrameError      (ValueError)         two consecutive frames without one possible link
    ├── GraphError                (ValueError)         a candidate graph with impossible rows or costs
    ├── SolveError                (RuntimeError)       a problem without a solution in the limits given
    ├── StoreError                (RuntimeError)       a run directory or store that cannot be used
    │   ├── StoreVersionError                          written by another version of morula
    │   └── StoreLockedError                           in use by another program
    ├── WorkerError               (RuntimeError)       processes that compute blocks and died or cannot be reached
    ├── DiskError                 (OSError)            a disk that is full or does not let us write
    └── BlocksFailedError         (RuntimeError)       some blocks failed; the others are kept (exit code 3)

The message has a first line (where and what) and up to three labelled lines. This module imports nothing.
"""

from __future__ import annotations

_LABEL_WIDTH = 9


class MorulaError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what
        Place and problem, one sentence: ``"frame 42: none of 2 cells lies within 15 µm of a cell in frame 41."``
    measured
        The numbers that led to the refusal.
    cause
        The likely cause, as a user would say it.
    fix
        What to do next.
    """

    exit_code = 1

    def __init__(self, what: str, *, measured: str = "", cause: str = "", fix: str = "") -> None:
        self.what, self.measured, self.cause, self.fix = what, measured, cause, fix
        super().__init__(what)

    def __str__(self) -> str:
        labelled = {"measured": self.measured, "cause": self.cause, "fix": self.fix}
        lines = [f"  {label + ':':<{_LABEL_WIDTH}} {text}" for label, text in labelled.items() if text]
        return "\n".join([self.what, *lines])

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.measured, self.cause, self.fix))


def _rebuild(kind: type[MorulaError], what: str, measured: str, cause: str, fix: str) -> MorulaError:
    return kind(what, measured=measured, cause=cause, fix=fix)


class ConfigError(MorulaError, ValueError):
    """A configuration with an unknown key, a missing table or a value out of range."""


class MovieError(MorulaError, ValueError):
    """A movie whose axes, voxel size or pixels cannot be understood."""


class MovieNotFoundError(MovieError, FileNotFoundError):
    """There is no movie, or a file of a series is missing."""


class ChunkError(MovieError, OSError):
    """Pixels that cannot be read or decoded; the message names the block and the file."""


class TracksError(MorulaError, ValueError):
    """Track points that make no lineage: duplicate ids, missing or later parents, three children."""


class TracksNotFoundError(TracksError, FileNotFoundError):
    """There is no track file at this place."""


class TracksFormatError(TracksError):
    """A file that is not what its name or its header says."""


class AnnotationError(MorulaError, ValueError):
    """Annotations that lie outside the movie, in voxels instead of µm, or are too few to learn from."""


class TrainingError(MorulaError, RuntimeError):
    """Training that cannot go on, for example because the loss is not finite."""


class ModelError(MorulaError, ValueError):
    """Weights that do not fit the network, the voxel size or this version."""


class UnlinkableFrameError(MorulaError, ValueError):
    """Two consecutive frames between which no link is possible."""


class GraphError(MorulaError, ValueError):
    """A candidate graph with impossible rows or costs that are not finite."""


class SolveError(MorulaError, RuntimeError):
    """No solution was found within the limits given; nothing is written as solved."""


class StoreError(MorulaError, RuntimeError):
    """A run directory or store that cannot be used."""


class StoreVersionError(StoreError):
    """A store written by another version of morula."""


class StoreLockedError(StoreError):
    """A store or run directory in use by another program."""


class WorkerError(MorulaError, RuntimeError):
    """Processes that compute blocks and died, cannot be reached, or are of another version."""


class DiskError(MorulaError, OSError):
    """A disk that is full, or a folder that cannot be written to."""


class BlocksFailedError(MorulaError, RuntimeError):
    """Some blocks failed after all retries; the finished ones are kept and only the failed ones run again."""

    exit_code = 3
