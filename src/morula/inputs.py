"""The inputs of a run, opened and checked once: movie, annotations, truth, and their identities for resuming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from morula.config import MovieConfig, RunConfig
from morula.core.movie import Movie
from morula.core.pins import PlacedPins
from morula.core.tracks import Tracks
from morula.errors import ConfigError, MovieError
from morula.io.movies.fingerprint import fingerprint_movie, is_same_movie
from morula.io.movies.opening import open_movie
from morula.io.tracks.files import read_tracks
from morula.io.tracks.pin_table import read_pins
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
    pins
        What was decided by hand, if anything.
    """

    movie: Movie
    train: Tracks
    val: Tracks
    truth: Tracks | None
    pins: PlacedPins | None = None
    _identities: dict[str, str] = field(default_factory=dict)

    def identify(self, *names: str) -> dict[str, str]:
        """Return the identity of inputs by the names of this class's fields, as stages record it."""
        for name in names:
            if name not in self._identities:
                self._identities[name] = _identify(getattr(self, name))
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
        If annotations or pins cannot be read or do not fit the movie.
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
    pins = None if config.annotations.pins is None else read_pins(Path(config.annotations.pins))
    return Inputs(movie=movie, train=train, val=val, truth=truth, pins=pins)


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


def _identify(one: Movie | Tracks | PlacedPins | None) -> str:
    """Return a name for the content of an input, the same wherever its file lies and however it is laid out."""
    if one is None:
        return ""
    if isinstance(one, Movie):
        return fingerprint_movie(one)
    if isinstance(one, Tracks):
        columns = {"t": one.t, "zyx": one.zyx_um, "id": one.id, "parent": one.parent_row}
    else:
        places = {"t": one.t, "zyx": one.zyx_um, "parent_t": one.parent_t, "parent_zyx": one.parent_zyx_um}
        columns = {**places, "pin": one.pin}
    return fingerprint({name: np.ascontiguousarray(values).tobytes().hex() for name, values in columns.items()})
