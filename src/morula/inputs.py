"""The inputs of a run, opened and checked once: movie, annotations, truth, and their identities for resuming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from morula.config import MovieConfig, RunConfig
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import ConfigError, MovieError
from morula.io.movies.fingerprint import fingerprint_movie, is_same_movie
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks
from morula.measure.check import check_annotations
from morula.store.fingerprint import fingerprint

_FEWEST_FRAMES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """What a run works on.

    Parameters
    ----------
    movie
        The movie.
    train
        Annotations to learn from; empty where the network was trained elsewhere.
    val
        Annotations held out; empty where there are none.
    truth
        All cells, where known.
    """

    movie: Movie
    train: Tracks
    val: Tracks
    truth: Tracks | None
    _identities: dict[str, str] = field(default_factory=dict)

    def identify(self, *names: str) -> dict[str, str]:
        """Return the identity of inputs by name (``movie``, ``train``, ``val``, ``truth``), as stages record it."""
        for name in names:
            if name not in self._identities:
                value = getattr(self, name)
                self._identities[name] = fingerprint_movie(value) if name == "movie" else _identify_tracks(value)
        return {name: self._identities[name] for name in names}

    def recognise_movie(self, recorded: Mapping[str, object]) -> None:
        """Keep the identity under which a run knows the movie, if nothing that can be read speaks against it.

        A chunk that could not be decoded when the run began, and was repaired since, does not make it another movie.

        Parameters
        ----------
        recorded
            What `identify` gave when the run began.
        """
        known = recorded.get("movie")
        if isinstance(known, str) and is_same_movie(known, self.identify("movie")["movie"]):
            self._identities["movie"] = known


def open_inputs(config: RunConfig) -> Inputs:
    """Open the movie, read the annotations and check that they belong together.

    Raises
    ------
    MovieError
        If the movie cannot be understood or has one frame only.
    TracksError, AnnotationError
        If annotations cannot be read or do not fit the movie.
    """
    movie = open_configured_movie(config.movie)
    if movie.n_frames < _FEWEST_FRAMES:
        raise MovieError(
            f"{movie.name}: the movie has one frame, lineages need at least two.",
            cause="a single time point, or the time axis taken for another one",
            fix="check --axes",
        )
    train = _read_training(movie, config)
    val = _empty_tracks() if config.annotations.val is None else _read(config.annotations.val, config)
    if val.n:
        check_annotations(movie, val, role="validation")
    truth = None if config.annotations.truth is None else _read(config.annotations.truth, config)
    if truth is not None:
        check_annotations(movie, truth, role="truth")
    return Inputs(movie=movie, train=train, val=val, truth=truth)


def _read_training(movie: Movie, config: RunConfig) -> Tracks:
    if config.annotations.train is None:
        if config.model.weights is None:
            raise ConfigError(
                "annotations.train is missing: there is nothing to learn from.",
                fix="name a track file, or trained weights as model.weights",
            )
        return _empty_tracks()
    train = _read(config.annotations.train, config)
    check_annotations(movie, train, role="training" if config.model.weights is None else "validation")
    return train


def open_configured_movie(config: MovieConfig) -> Movie:
    """Open the movie of a configuration, without looking at annotations."""
    return open_movie(
        config.path,
        axes=config.axes,
        channel=config.channel,
        level=config.level,
        voxel_size_um=config.voxel_size_um,
        frame_interval_s=config.frame_interval_s,
        mask=config.mask,
    )


def _read(path: str, config: RunConfig) -> Tracks:
    return read_tracks(Path(path), unit_um=config.annotations.unit_um)


def _empty_tracks() -> Tracks:
    nothing = np.zeros(0, np.int64)
    return Tracks(t=nothing.astype(np.int32), zyx_um=np.zeros((0, 3)), id=nothing, parent_row=nothing)


def _identify_tracks(tracks: Tracks | None) -> str:
    if tracks is None:
        return ""
    columns = {"t": tracks.t, "zyx": tracks.zyx_um, "id": tracks.id, "parent": tracks.parent_row}
    return fingerprint({name: np.ascontiguousarray(values).tobytes().hex() for name, values in columns.items()})
