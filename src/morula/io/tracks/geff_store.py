"""GEFF folders (Graph Exchange File Format 1.x on zarr): opened and checked property by property, and written whole.

Owns where things lie in a GEFF, its axes and units, and how much of it is believed: every array's type, shape and
size are checked against the node ids and the bytes on disk before it is read. Refuses folders without GEFF metadata,
values that are missing, and lengths that differ. What a node means is the business of the callers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zarr
from zarr.storage import LocalStore

from morula.core.columns import BoolArray, FloatArray, IntArray
from morula.errors import MorulaError, TracksFormatError
from morula.io.movies.units import as_number
from morula.io.tracks.units import choose_um_per_unit

_MOST_CHUNKS = 100_000
_BELIEVED_BYTES = 16 << 20
_HIGHEST_RATIO = 4096  # node ids 0, 1, 2 ... shrink at most about 1200-fold
_UNSAFE_CODECS = {"pickle", "numcodecs.pickle"}


@dataclass(frozen=True, slots=True)
class GeffAxis:
    """One axis as the metadata describe it: values × scale are in `unit`."""

    prop: str
    unit: str | None
    scale: float


class GeffFolder:
    """An opened GEFF, whose properties are read one by one.

    Parameters
    ----------
    path
        The zarr folder whose attributes hold the key ``geff``.

    Raises
    ------
    TracksFormatError
        If this is no GEFF, or its node or edge ids cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _as_format_error(path, "metadata"):
            self._group = zarr.open_group(LocalStore(path, read_only=True), mode="r", use_consolidated=False)
            metadata = dict(self._group.attrs).get("geff")
        if not isinstance(metadata, dict):
            raise TracksFormatError(
                f"{path}: a zarr folder without GEFF metadata.",
                measured=f"attributes: {', '.join(map(str, self._group.attrs)) or 'none'}",
                cause="a movie, or a container whose GEFF lies deeper, for example movie.zarr/tracks",
                fix="give the folder whose attributes hold the key 'geff'",
            )
        self._metadata = metadata
        self.directed = metadata.get("directed") is not False
        self.node_id = self._read_ids("nodes/ids", ndim=1)
        self.edge_ids = self._read_ids("edges/ids", ndim=2)

    def has_node_prop(self, name: str) -> bool:
        """Tell whether nodes carry a property of this name."""
        return (self.path / "nodes/props" / name / "values").is_dir()

    def has_edge_prop(self, name: str) -> bool:
        """Tell whether edges carry a property of this name."""
        return (self.path / "edges/props" / name / "values").is_dir()

    def read_node_prop(self, name: str, *, missing: float | None = None) -> FloatArray:
        """Return a node property as float64, shape (n,).

        Parameters
        ----------
        name
            Name of the property.
        missing
            Value of the nodes for which it is marked as missing; None refuses that.

        Raises
        ------
        TracksFormatError
            If it is absent, not numeric, of another length, or missing for some nodes.
        """
        return self._read_prop("nodes", name, len(self.node_id), missing)

    def read_edge_prop(self, name: str, *, missing: float | None = None) -> FloatArray:
        """Return an edge property as float64, shape (m,); arguments and refusals as of `read_node_prop`."""
        return self._read_prop("edges", name, len(self.edge_ids), missing)

    def edge_prop_unit(self, name: str) -> str | None:
        """Return the unit stated for an edge property, if any."""
        props = self._metadata.get("edge_props_metadata")
        described = props.get(name) if isinstance(props, dict) else None
        unit = described.get("unit") if isinstance(described, dict) else None
        return unit if isinstance(unit, str) else None

    def read_positions(self, unit_um: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return frame (n,), position in µm (n, 3) in order z, y, x, and µm per unit of each axis (3,).

        Raises
        ------
        TracksFormatError
            If an axis is absent.
        """
        axes = self._find_axes()
        where = f"{self.path} (axes z, y, x)"
        um_per_unit = {u: choose_um_per_unit(u, unit_um, where) for u in {axes[name].unit for name in "zyx"}}
        scales = [1.0 if unit_um != 1.0 else axes[name].scale for name in "zyx"]
        factors = np.array([scale * um_per_unit[axes[name].unit] for name, scale in zip("zyx", scales, strict=True)])
        zyx = np.stack([self.read_node_prop(axes[name].prop) for name in "zyx"], axis=1)
        with np.errstate(over="ignore", invalid="ignore"):  # values that are no positions are the callers' to refuse
            return self.read_node_prop(axes["t"].prop), zyx * factors, factors

    def _find_axes(self) -> dict[str, GeffAxis]:
        """Find t, z, y, x by name among the axes; where the names differ, by type and order."""
        stated = self._metadata.get("axes")
        axes = [axis for axis in stated if isinstance(axis, dict)] if isinstance(stated, list) else []
        by_name = {str(axis.get("name")): axis for axis in axes}
        if {"t", "z", "y", "x"} <= by_name.keys():
            chosen = [by_name[name] for name in "tzyx"]
        elif not axes:
            chosen = [{"name": name} for name in "tzyx"]
        else:
            times = [axis for axis in axes if axis.get("type") == "time"]
            space = [axis for axis in axes if axis.get("type") == "space"]
            if len(times) != 1 or len(space) != 3:
                raise TracksFormatError(
                    f"{self.path}: expected the axes t, z, y, x.",
                    measured=f"axes: {', '.join(by_name)[:200]}",
                    cause="a graph in two dimensions, or axes without names and types",
                    fix="write the axes t (type time), z, y and x (type space)",
                )
            chosen = [*times, *space]
        return {name: _describe_axis(axis, self.path) for name, axis in zip("tzyx", chosen, strict=True)}

    def _array_at(self, place: str) -> zarr.Array | None:
        with _as_format_error(self.path, place):
            if ".." in place.split("/") or not (self.path / place).is_dir():
                return None
            node = self._group.get(place)
        return node if isinstance(node, zarr.Array) else None

    def _read_ids(self, place: str, *, ndim: int) -> IntArray:
        array = self._array_at(place)
        if array is None or array.dtype.kind not in "iu" or array.ndim != ndim or (ndim == 2 and array.shape[1] != 2):
            found = "nothing" if array is None else f"{array.dtype} of shape {array.shape}"
            raise TracksFormatError(
                f"{self.path}: {place} is {found}, expected whole numbers, {'one' if ndim == 1 else 'two'} a row.",
                cause="the file is damaged, or no GEFF",
                fix="check it with `geff validate`, or write it again",
            )
        stored = sum(item.stat().st_size for item in (self.path / place).rglob("*") if item.is_file())
        announced = math.prod(array.shape) * array.dtype.itemsize
        if announced > _BELIEVED_BYTES + _HIGHEST_RATIO * stored:
            raise TracksFormatError(
                f"{self.path}: {place} announces {announced} bytes, but only {stored} are stored.",
                cause="the file was cut off, damaged, or made to fill the memory",
                fix="copy it again, or write it again",
            )
        ids = self._read_whole(array, place)
        if ids.dtype.kind == "u" and ids.size and int(ids.max()) > np.iinfo(np.int64).max:
            raise TracksFormatError(
                f"{self.path}: {place} holds the id {int(ids.max())}, which needs more than 63 bits."
            )
        return ids.astype(np.int64, copy=False)

    def _read_prop(self, component: str, name: str, length: int, missing: float | None) -> FloatArray:
        place = f"{component}/props/{name}"
        values = self._array_at(f"{place}/values")
        if values is None or values.dtype.kind not in "iuf" or values.shape != (length,):
            found = "not there" if values is None else f"{values.dtype} of shape {values.shape}"
            raise TracksFormatError(
                f"{self.path}: {place} is {found}, expected {length} numbers.",
                cause="the file is damaged, or written by a program that names things differently",
                fix=f"check it with `geff validate`, or write it again with the property {name}",
            )
        with np.errstate(invalid="ignore"):
            column = self._read_whole(values, f"{place}/values").astype(np.float64, copy=False)
        absent = self._read_missing(place, length)
        if absent.any():
            if missing is None:
                raise TracksFormatError(
                    f"{self.path}: {place} is marked as missing for {np.count_nonzero(absent)} of {length} entries.",
                    fix="fill them in, or leave these nodes out",
                )
            column = np.where(absent, missing, column)
        return column

    def _read_missing(self, place: str, length: int) -> BoolArray:
        marks = self._array_at(f"{place}/missing")
        if marks is None:
            return np.zeros(length, bool)
        if marks.shape != (length,):
            return np.ones(length, bool)
        return self._read_whole(marks, f"{place}/missing").astype(bool)

    def _read_whole(self, array: zarr.Array, place: str) -> npt.NDArray[np.generic]:
        with _as_format_error(self.path, place):
            n_chunks = math.prod(-(-size // chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))
            if n_chunks > _MOST_CHUNKS:
                raise TracksFormatError(
                    f"{self.path}: {place} is cut into {n_chunks} pieces, at most {_MOST_CHUNKS} are read.",
                    fix="write it again with larger chunks",
                )
            if _codec_names(array) & _UNSAFE_CODECS:
                raise TracksFormatError(f"{self.path}: {place} is packed with pickle, which could run a program.")
            return np.asarray(array[...])


def _codec_names(array: zarr.Array) -> set[str]:
    described = array.metadata.to_dict()
    codecs = [*(described.get("filters") or ()), *(described.get("codecs") or ()), described.get("compressor") or {}]
    return {str(codec.get("id", codec.get("name"))) for codec in codecs if isinstance(codec, dict)}


def _describe_axis(axis: Mapping[str, object], path: Path) -> GeffAxis:
    unit, scale = axis.get("unit"), 1.0
    if axis.get("scale") is not None:
        unit, scale = axis.get("scaled_unit", unit), as_number(axis["scale"]) or 0.0
    if scale <= 0:
        raise TracksFormatError(
            f"{path}: the axis {axis.get('name')} has the scale {str(axis['scale'])[:40]}, expected a positive number.",
            fix="write the axis again, without a scale or with the size of a unit",
        )
    return GeffAxis(prop=str(axis.get("name")), unit=unit if isinstance(unit, str) else None, scale=scale)


@contextmanager
def _as_format_error(path: Path, what: str) -> Iterator[None]:
    """Turn whatever zarr and its codecs raise on a damaged folder into one error that names the array."""
    try:
        yield
    except MorulaError:
        raise
    except Exception as error:
        raise TracksFormatError(
            f"{path}: {what} cannot be read ({type(error).__name__}: {str(error)[:200]}).",
            cause="the file was cut off or damaged, or is no GEFF",
            fix="check it with `geff validate`, copy it again, or write it again",
        ) from error
