"""Opening an OME-Zarr image (0.4 on zarr 2, 0.5 on zarr 3) or a plain zarr array, in a folder or on a web server.

Owns finding the array of the level asked for, and the warnings about what a movie cannot carry: an origin that is not
zero, frames without a single chunk. Refused are groups that hold no image; the message says where one is.
"""

from __future__ import annotations

import logging
from pathlib import Path

from morula.errors import MovieError, MovieNotFoundError
from morula.io.movies.axes import fit_axes
from morula.io.movies.ome_metadata import ImageLevel, find_image, read_level
from morula.io.movies.source import MovieOptions, MovieSource
from morula.io.movies.zarr_absent import find_absent_frames
from morula.io.movies.zarr_array import ZarrArray
from morula.io.movies.zarr_metadata import Json, is_url, join_place, read_metadata

logger = logging.getLogger(__name__)


def open_ome_zarr(place: str, options: MovieOptions, name: str) -> MovieSource:
    """Open an OME-Zarr image, or a plain zarr array if axes and voxel size are given.

    Parameters
    ----------
    place
        Folder or http(s) address of the image group, or of the array.
    options
        Level, and axes if the file's own are wrong or missing.
    name
        What messages call the movie.

    Raises
    ------
    MovieError
        If there is no image, or level, axes or scale make no sense.
    MovieNotFoundError
        If nothing lies at this place, or the array of the level is missing.
    """
    node = read_metadata(place, "zarr.json")
    if node is not None:
        if node.get("node_type") == "array":
            return _open_array(place, 3, options, name, node.get("dimension_names"))
        attributes = node.get("attributes")
        return _open_group(place, attributes if isinstance(attributes, dict) else {}, 3, options, name)
    if read_metadata(place, ".zarray") is not None:
        return _open_array(place, 2, options, name, None)
    attributes = read_metadata(place, ".zattrs")
    if attributes is None and read_metadata(place, ".zgroup") is None:
        raise MovieNotFoundError(
            f"{place}: there is no zarr image here.",
            measured="none of zarr.json, .zarray, .zattrs and .zgroup was found",
            fix="check the path or address; it is the one of the folder that holds these files",
        )
    return _open_group(place, attributes or {}, 2, options, name)


def _open_array(place: str, zarr_format: int, options: MovieOptions, name: str, dimensions: object) -> MovieSource:
    """Open an array without OME metadata: only zarr 3 may name its axes."""
    array = ZarrArray(place, zarr_format).open()
    names = [str(axis).upper() for axis in dimensions] if isinstance(dimensions, list) else []
    axes = "".join(axis if len(axis) == 1 else "?" for axis in names)
    _warn_absent(array, options.axes or axes, options, name)
    return MovieSource(
        array, axes, name, size_note="a plain zarr array; if it belongs to an image, give the image's folder"
    )


def _open_group(place: str, attributes: Json, zarr_format: int, options: MovieOptions, name: str) -> MovieSource:
    image = find_image(attributes)
    if image is None:
        raise _no_image(place, attributes)
    level = read_level(image, options.level, place)
    array = ZarrArray(join_place(place, level.path), zarr_format).open()
    letters = level.letters
    if options.axes is not None:
        letters = fit_axes(options.axes, letters, len(array.shape), name)
    _warn_origin(level, letters, name)
    _warn_absent(array, letters, options, name)
    return MovieSource(
        array=array,
        axes=level.letters,
        name=name,
        voxel_size_um=level.lengths_um(level.scale, letters),
        frame_interval_s=level.interval_s(letters),
        size_note=f"scale {level.scale} with units {[axis.unit for axis in level.axes]} for axes {level.letters}",
    )


def _no_image(place: str, attributes: Json) -> MovieError:
    ome = attributes.get("ome")
    found = {**attributes, **ome} if isinstance(ome, dict) else attributes
    if "bioformats2raw.layout" in found:
        fix = f"give the image inside, usually {join_place(place, '0')}"
    elif "plate" in found or "well" in found:
        fix = "give one field of the plate, for example " + join_place(place, "A/1/0")
    else:
        inner = [] if is_url(place) else [p.parent.name for p in sorted(Path(place).glob("*/zarr.json"))[:5]]
        inner += [] if is_url(place) else [p.parent.name for p in sorted(Path(place).glob("*/.zarray"))[:5]]
        fix = "give the folder of the image, or an array with --axes and --voxel-size-um"
        fix += f" (inside lie {', '.join(inner)})" if inner else ""
    return MovieError(
        f"{place}: this zarr group holds no OME image.",
        measured=f"its attributes are {', '.join(sorted(found)[:8]) or 'empty'}",
        cause="the path ends one folder above or below the image, or the writer stored no OME metadata",
        fix=fix,
    )


def _warn_origin(level: ImageLevel, letters: str, name: str) -> None:
    """Warn of an origin beyond half a voxel; pyramids shift coarse levels by less, which changes nothing to see."""
    origin, size = level.lengths_um(level.translation, letters), level.lengths_um(level.scale, letters)
    if any(abs(um) > 0.5 * abs(size.get(letter, 0.0)) for letter, um in origin.items()):
        shift = ", ".join(f"{letter.lower()} {um:g}" for letter, um in origin.items())
        logger.warning(
            "%s: the file places its first voxel at %s µm; morula counts from the first voxel, so positions in the "
            "file's coordinates must have this subtracted",
            name,
            shift,
        )


def _warn_absent(array: ZarrArray, axes: str, options: MovieOptions, name: str) -> None:
    absent = find_absent_frames(array, axes.upper(), options.channel)
    if absent:
        shown = ", ".join(map(str, absent[:8])) + (", …" if len(absent) > 8 else "")
        logger.warning(
            "%s: %d of %d frames have no chunk on disk and read as the fill value (frames %s); was the copy complete?",
            name,
            len(absent),
            array.shape[axes.upper().index("T")],
            shown,
        )
