"""Frames of a zarr movie of which nothing was stored. Owns a cheap look at the chunk files, reads none of them.

A chunk that is not there is legal and means the fill value, but a whole frame without one is more often a copy that
stopped. Looked at are local arrays only (listing a web server is not possible), and where chunks lie in nested
folders only those with T as the first axis. Of sharded arrays whole shards are seen, not the chunks inside.
"""

from __future__ import annotations

import os
from pathlib import Path

from morula.io.movies.axes import MAX_AXIS_LENGTH
from morula.io.movies.zarr_array import ZarrArray
from morula.io.movies.zarr_metadata import Json, is_url


def find_absent_frames(array: ZarrArray, axes: str, channel: int = 0) -> list[int] | None:
    """Find the frames of which no chunk file exists.

    Parameters
    ----------
    array
        Local zarr array.
    axes
        One letter per axis of the array.
    channel
        Channel whose chunks count, where the channels lie in chunks of their own.

    Returns
    -------
    list or None
        Frames in order; None if this cannot be told cheaply.

    Notes
    -----
    Cost: one folder listing per frame (nested chunk keys) or one listing of all chunks (flat keys).
    """
    if is_url(array.place) or "T" not in axes or len(axes) != len(array.shape) or max(array.shape) > MAX_AXIS_LENGTH:
        return None
    layout = _chunk_layout(array)
    if layout is None:
        return None
    prefix, separator, chunk = layout
    t_axis, t_chunk = axes.index("T"), chunk[axes.index("T")]
    wanted = {axes.index("C"): channel // chunk[axes.index("C")]} if "C" in axes else {}
    root = Path(array.place)
    try:
        if separator == "/":
            present = _list_nested(root / prefix if prefix else root, t_axis, wanted)
        else:
            present = _list_flat(root, prefix + separator if prefix else "", len(axes), t_axis, wanted)
    except OSError:
        return None  # the chunks themselves will tell, when they are read
    if present is None:
        return None
    return [t for t in range(array.shape[t_axis]) if t // t_chunk not in present]


def _chunk_layout(array: ZarrArray) -> tuple[str, str, tuple[int, ...]] | None:
    """Return prefix and separator of chunk keys, and the shape of what one file holds."""
    metadata: Json = array.store.spec().to_json().get("metadata", {})
    chunk = tuple(size or 0 for size in array.store.chunk_layout.write_chunk.shape or ())
    if len(chunk) != len(array.shape) or min(chunk, default=0) < 1:
        return None
    if array.zarr_format == 2:
        return "", str(metadata.get("dimension_separator", ".")), chunk
    encoding: Json = metadata.get("chunk_key_encoding", {})
    default = encoding.get("name", "default") == "default"
    separator = encoding.get("configuration", {}).get("separator", "/" if default else ".")
    return "c" if default else "", str(separator), chunk


def _list_nested(root: Path, t_axis: int, wanted: dict[int, int]) -> set[int] | None:
    if t_axis != 0:
        return None
    if not root.is_dir():
        return set()
    inner = str(wanted[1]) if 1 in wanted else ""
    return {int(folder.name) for folder in root.iterdir() if folder.name.isdecimal() and _holds_file(folder / inner)}


def _list_flat(root: Path, prefix: str, n_axes: int, t_axis: int, wanted: dict[int, int]) -> set[int]:
    present = set()
    with os.scandir(root) as entries:
        for entry in entries:
            parts = entry.name.removeprefix(prefix).split(".")
            if len(parts) == n_axes and all(part.isdecimal() for part in parts):
                index = [int(part) for part in parts]
                if all(index[axis] == number for axis, number in wanted.items()):
                    present.add(index[t_axis])
    return present


def _holds_file(folder: Path) -> bool:
    return any(files for _, _, files in os.walk(folder))
