"""Tracks from a Mastodon project: a ``.mastodon`` file (a ZIP archive) or the plain folder older versions wrote.

Reads the spots and links of ``model.raw`` and the unit of ``project.xml``; labels, tags, features and the image are
left alone (the path to the image, with slashes either way, is not followed). Nothing is unpacked to disk: members are
found by their exact names and read into memory, never more than their archive can honestly hold.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from morula.core.columns import FloatArray, IntArray
from morula.core.tracks import Tracks
from morula.errors import TracksFormatError
from morula.io.tracks.java_stream import read_block_data, read_int
from morula.io.tracks.points import TrackPoints, build_tracks, choose_parents
from morula.io.tracks.units import choose_um_per_unit

_MODEL, _PROJECT = "model.raw", "project.xml"
_SPOT = np.dtype([("xyz", "<f8", 3), ("t", "<i4"), ("covariance", "<f8", 6), ("r2", "<f8")])
_LINK_BYTES = 16
_LARGEST_PROJECT_BYTES = 1 << 20
_LARGEST_MODEL_BYTES = 8 << 30
_HIGHEST_RATIO = 200  # spots are floating-point numbers: real projects shrink by less than 10


def read_mastodon(path: Path, *, unit_um: float = 1.0) -> Tracks:
    """Read a Mastodon project; a spot's id is its number in the file.

    Parameters
    ----------
    path
        A ``.mastodon`` file or a folder with ``project.xml`` and ``model.raw``.
    unit_um
        µm per unit of the project; 1 leaves the word to the project.

    Raises
    ------
    TracksFormatError
        If the archive, the XML or the stream is damaged or not Mastodon's; the member is named.
    TracksError
        If spots and links make no lineage; the spot or link is named.
    """
    project = _read_member(path, _PROJECT, _LARGEST_PROJECT_BYTES)
    unit = _read_unit(project, f"{path}: {_PROJECT}")
    where = f"{path}: {_MODEL}"
    spots, links = _decode_model(read_block_data(_read_member(path, _MODEL, _LARGEST_MODEL_BYTES), where), where)
    t = spots["t"].astype(np.float64)
    parent_row = choose_parents(t, links, where, lambda row: f"link {row}")
    points = TrackPoints(
        file=where,
        t=t,
        zyx=np.ascontiguousarray(spots["xyz"][:, ::-1]).astype(np.float64),
        id=np.arange(len(spots)),
        parent_id=parent_row,
        place=lambda row: f"spot {row}",
        radius=_mean_radius(spots),
    )
    return build_tracks(points, um_per_unit=choose_um_per_unit(unit, unit_um, f"{path}: {_PROJECT}"))


def _read_member(path: Path, name: str, largest: int) -> bytes:
    if path.is_dir():
        member = path / name
        if not member.is_file():
            raise _missing_member(path, name, sorted(item.name for item in path.iterdir()))
        if member.stat().st_size > largest:
            raise _too_large(path, name, member.stat().st_size, largest)
        return member.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_zipped(path, archive, name, largest)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, TracksFormatError):
            raise
        raise TracksFormatError(
            f"{path}: {name} cannot be unpacked ({error}).",
            cause="the file was cut off or damaged",
            fix="copy the project again, or save it again in Mastodon",
        ) from None


def _read_zipped(path: Path, archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    names = archive.namelist()
    if name not in names:
        raise _missing_member(path, name, names)
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise TracksFormatError(
            f"{path}: {name} is packed in a way Mastodon does not use (method {member.compress_type}).",
            fix="save the project again in Mastodon",
        )
    bound = min(largest, path.stat().st_size * _HIGHEST_RATIO)
    if member.file_size > bound:
        raise _too_large(path, name, member.file_size, bound)
    return archive.read(member)


def _missing_member(path: Path, name: str, names: list[str]) -> TracksFormatError:
    nested = [other for other in names if other.endswith("/" + name)]
    return TracksFormatError(
        f"{path}: there is no {name} in it.",
        measured=f"found: {', '.join(names[:8]) or 'nothing'}" + (" ..." if len(names) > 8 else ""),
        cause="the project's folder was packed as a whole" if nested else "this is not a Mastodon project",
        fix="give the unpacked folder that holds it" if nested else "give the .mastodon file that Mastodon saved",
    )


def _too_large(path: Path, name: str, size: int, bound: int) -> TracksFormatError:
    return TracksFormatError(
        f"{path}: {name} claims to hold {size} bytes, at most {bound} are believed.",
        cause="a damaged archive, or one made to fill the memory",
        fix="save the project again in Mastodon",
    )


def _read_unit(project: bytes, where: str) -> str | None:
    try:
        root = fromstring(project, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise TracksFormatError(
            f"{where} is not readable XML ({error}).", fix="save the project again in Mastodon"
        ) from None
    if root.tag != "MamutProject":
        raise TracksFormatError(
            f"{where} has the root element {root.tag[:40]}, expected MamutProject.",
            cause="this is not a Mastodon project",
            fix="give the .mastodon file that Mastodon saved",
        )
    text: str | None = root.findtext("SpaceUnits")
    return text


def _decode_model(data: bytes, where: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.void]], IntArray]:
    """Return the spots and the links (rows of source and target, shape (m, 2)) of the model's block data."""
    n_spots = read_int(data, 0, where)
    links_at = 4 + n_spots * _SPOT.itemsize
    if n_spots < 0 or links_at + 4 > len(data):
        raise _wrong_count(where, "spots", n_spots, _SPOT.itemsize, len(data) - 8)
    spots = np.frombuffer(data, _SPOT, count=n_spots, offset=4)
    n_links = read_int(data, links_at, where)
    if n_links < 0 or links_at + 4 + n_links * _LINK_BYTES != len(data):
        raise _wrong_count(where, "links", n_links, _LINK_BYTES, len(data) - links_at - 4)
    links = np.frombuffer(data, ">i4", count=4 * n_links, offset=links_at + 4).reshape(-1, 4)[:, :2].astype(np.int64)
    outside = np.flatnonzero(((links < 0) | (links >= n_spots)).any(axis=1))
    if len(outside):
        row = int(outside[0])
        raise TracksFormatError(
            f"{where}, link {row}: it joins the spots {links[row, 0]} and {links[row, 1]}, there are {n_spots}.",
            cause="the file is damaged",
            fix="save the project again in Mastodon",
        )
    return spots, links


def _wrong_count(where: str, what: str, count: int, size: int, found: int) -> TracksFormatError:
    return TracksFormatError(
        f"{where}: it announces {count} {what} of {size} bytes each, but {max(found, 0)} bytes are there for them.",
        cause="the file was cut off or damaged, or written by an unknown version of Mastodon",
        fix="copy the project again, or save it again in Mastodon",
    )


def _mean_radius(spots: np.ndarray[tuple[int], np.dtype[np.void]]) -> FloatArray:
    """Geometric mean of an ellipsoid's semi-axes, the sixth root of the covariance's determinant, shape (n,)."""
    c00, c01, c02, c11, c12, c22 = spots["covariance"].astype(np.float64).T
    with np.errstate(all="ignore"):
        determinant = c00 * (c11 * c22 - c12**2) - c01 * (c01 * c22 - c12 * c02) + c02 * (c01 * c12 - c11 * c02)
        radius: FloatArray = np.where(determinant > 0, determinant, np.nan) ** (1 / 6)
        return radius
