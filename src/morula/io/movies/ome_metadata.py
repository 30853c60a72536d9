"""The multiscale image of an OME-Zarr group, versions 0.1 to 0.5. Owns which array to read and what its axes mean.

Tolerant where the answer is clear (axes as plain names, a missing channel block, unknown extra keys), since files in
the wild bend the specification; refused are groups without an image, levels that do not exist, and scales that do not
fit the axes. What is written is checked against the specification itself, see `ome_zarr`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from morula.errors import MovieError
from morula.io.movies.units import as_number, convert_length, convert_time
from morula.io.movies.zarr_metadata import Json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an image: a letter, and the unit of its coordinates."""

    letter: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class ImageLevel:
    """One resolution level of an image.

    Parameters
    ----------
    path
        Path of the array inside the group.
    axes
        Axes in the order of the array.
    scale, translation
        Step and origin along each axis, in the axis' unit; None where the file gives none.
    """

    path: str
    axes: tuple[Axis, ...]
    scale: tuple[float, ...] | None
    translation: tuple[float, ...] | None

    @property
    def letters(self) -> str:
        """One letter per axis; ``?`` for an axis whose name is none of t, c, z, y, x."""
        return "".join(axis.letter for axis in self.axes)

    def lengths_um(self, numbers: Sequence[float] | None, letters: str) -> dict[str, float]:
        """Convert numbers along the axes to µm, by letter of a space axis; axes of unknown unit are left out."""
        converted = {
            letter: convert_length(number, axis.unit)
            for letter, axis, number in zip(letters, self.axes, numbers or (), strict=False)
        }
        return {letter: um for letter, um in converted.items() if um is not None and letter in "ZYX"}

    def interval_s(self, letters: str) -> float | None:
        """Convert the step along T to seconds; None where there is none or its unit is unknown."""
        steps = zip(letters, self.axes, self.scale or (), strict=False)
        return next((convert_time(step, axis.unit) for letter, axis, step in steps if letter == "T"), None)


def find_image(attributes: Json) -> Json | None:
    """Return the first multiscale image in the attributes of a group, or None.

    Version 0.5 keeps it under ``ome``, earlier ones directly.
    """
    ome = attributes.get("ome")
    images = (ome if isinstance(ome, dict) else attributes).get("multiscales")
    if not isinstance(images, list) or not images or not isinstance(images[0], dict):
        return None
    if len(images) > 1:
        logger.info("the group holds %d images; the first is read", len(images))
    return images[0]


def read_level(image: Json, level: int, place: str) -> ImageLevel:
    """Read the metadata of one resolution level.

    Raises
    ------
    MovieError
        If the level does not exist, its path leads out of the group, or its scale does not fit the axes.
    """
    datasets = image.get("datasets")
    entries = [entry for entry in datasets if isinstance(entry, dict)] if isinstance(datasets, list) else []
    if not 0 <= level < len(entries):
        raise MovieError(
            f"{place}: there is no resolution level {level}.",
            measured=f"{len(entries)} level{'s' if len(entries) != 1 else ''}, counted from 0 (the finest)",
            fix=f"give --level 0{f' to {len(entries) - 1}' if len(entries) > 1 else ''}",
        )
    path = entries[level].get("path")
    if not isinstance(path, str) or path.startswith("/") or not path or {"..", "\0"} & {*path.split("/"), *path}:
        raise MovieError(
            f"{place}: the path {path!r} of level {level} does not lie in the image.",
            cause="damaged metadata",
            fix="export the movie again",
        )
    axes = _read_axes(image.get("axes"))
    inner = _read_transform(entries[level], len(axes), place)
    outer = _read_transform(image, len(axes), place)
    return ImageLevel(path, axes, *_chain(inner, outer))


def _read_axes(axes: Any) -> tuple[Axis, ...]:
    if not isinstance(axes, list):
        return tuple(Axis(letter, None) for letter in "TCZYX")  # versions 0.1 and 0.2 know no other axes
    read = []
    for axis in axes:
        described = axis if isinstance(axis, dict) else {"name": axis}
        name, unit = described.get("name"), described.get("unit")
        letter = name.upper() if isinstance(name, str) and name.upper() in {*"TCZYX"} else _letter_of(described)
        read.append(Axis(letter, unit if isinstance(unit, str) else None))
    return tuple(read)


def _letter_of(axis: Json) -> str:
    """Return the letter of an axis by its type, where its name is free (``time``, ``channel``)."""
    kind = axis.get("type")
    return {"time": "T", "channel": "C"}.get(kind, "?") if isinstance(kind, str) else "?"


_Transform = tuple[tuple[float, ...] | None, tuple[float, ...] | None]


def _read_transform(owner: Json, n_axes: int, place: str) -> _Transform:
    found: dict[str, tuple[float, ...] | None] = {"scale": None, "translation": None}
    steps = owner.get("coordinateTransformations")
    for step in steps if isinstance(steps, list) else []:
        kind = step.get("type") if isinstance(step, dict) else None
        if kind == "identity":
            continue
        values = step.get(kind) if isinstance(kind, str) and kind in found else None
        numbers = [as_number(value) for value in values] if isinstance(values, list) else []
        known = tuple(number for number in numbers if number is not None)
        if not isinstance(kind, str) or kind not in found or len(known) != n_axes:
            raise MovieError(
                f"{place}: a coordinate transformation is not understood.",
                measured=f"{str(step)[:120]} for {n_axes} axes",
                cause="damaged metadata, or a transformation other than a scale and a translation",
                fix="export the movie again, with one scale per axis",
            )
        found[kind] = known
    return found["scale"], found["translation"]


def _chain(inner: _Transform, outer: _Transform) -> _Transform:
    """Apply the outer transformation after the inner one: scale first, then translation."""
    (scale, shift), (outer_scale, outer_shift) = inner, outer
    if outer_scale is not None:
        scale = tuple(a * b for a, b in zip(scale, outer_scale, strict=True)) if scale else outer_scale
        shift = tuple(a * b for a, b in zip(shift, outer_scale, strict=True)) if shift else None
    if outer_shift is not None:
        shift = tuple(a + b for a, b in zip(shift, outer_shift, strict=True)) if shift else outer_shift
    return scale, shift
