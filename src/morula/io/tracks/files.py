"""Tracks from and to files of any known format: `read_tracks` and `write_tracks`.

The format is found from the content, not from the name: a ZIP archive or folder with a Mastodon model, a zarr folder
with GEFF metadata, XML (MaMuT and TrackMate), a table with a header (CSV), or linajea's table without one. Positions
come out in µm, rows sorted by frame, then id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from morula.core.tracks import Tracks
from morula.errors import MorulaError, TracksError, TracksFormatError, TracksNotFoundError
from morula.io.tracks.units import check_unit_um

TracksWriteFormat = Literal["csv", "geff", "napari"]

_SNIFFED_BYTES = 4096
_KNOWN = "csv (a table with the header t,z,y,x,id,parent_id), geff, linajea, mamut, mastodon"


def read_tracks(path: Path | str, *, format: str | None = None, unit_um: float = 1.0) -> Tracks:
    """Read tracks of any known format.

    Parameters
    ----------
    path
        File, or folder for GEFF and unpacked Mastodon projects.
    format
        ``csv``, ``geff``, ``linajea``, ``mamut`` or ``mastodon``; None finds it from the content.
    unit_um
        µm per unit of the file's positions, for example 0.406 where they are pixels of 0.406 µm. At 1, a unit stated
        in the file (nm, µm, mm) is used, and µm where none is stated.

    Returns
    -------
    Tracks
        Points sorted by frame, then id; ids are those of the file (in Mastodon, the number of the spot).

    Raises
    ------
    TracksNotFoundError
        If there is nothing at this place.
    TracksFormatError
        If the format is unknown or the file is damaged; file and line or member are named.
    TracksError
        If the points make no lineage.
    """
    place = Path(path)
    check_unit_um(unit_um)
    try:
        if not place.exists():
            raise TracksNotFoundError(
                f"{place}: there is no file or folder at this place.", fix="check the path and the current folder"
            )
        reader = _choose_reader(format or _find_format(place), place)
        return reader(place, unit_um)
    except MorulaError:
        raise
    except OSError as error:
        raise TracksFormatError(
            f"{place} cannot be read: {error.strerror or error}.", fix="check that you may read this file"
        ) from error


def write_tracks(
    tracks: Tracks,
    path: Path | str,
    *,
    format: TracksWriteFormat,
    columns: Mapping[str, npt.NDArray[np.generic]] | None = None,
    overwrite: bool = False,
) -> None:
    """Write tracks; the result appears whole or not at all, and is the same byte for byte for the same tracks.

    Parameters
    ----------
    tracks
        Points and links.
    path
        File (csv) or folder (geff, napari) to write.
    format
        ``csv``, ``geff`` or ``napari``.
    columns
        Further columns, one number per point in the row order of `tracks`, for csv and geff.
    overwrite
        Replace what exists at `path`, if it is of the same kind.

    Raises
    ------
    TracksError
        If a further column does not fit, or the format is unknown.
    DiskError
        If `path` exists and `overwrite` is false, or the disk refuses.
    """
    place = Path(path)
    if format == "csv":
        from morula.io.tracks.csv_table import write_csv

        write_csv(tracks, place, columns=columns, overwrite=overwrite)
    elif format == "geff":
        from morula.io.tracks.geff_tracks import write_geff_tracks

        write_geff_tracks(tracks, place, columns=columns, overwrite=overwrite)
    elif format == "napari":
        from morula.io.tracks.napari_tracks import write_napari_tracks

        if columns:
            raise TracksError("napari tracks take no further columns.", fix="leave them out, or write csv or geff")
        write_napari_tracks(tracks, place, overwrite=overwrite)
    else:
        raise TracksError(f"tracks cannot be written as {format!r}.", fix="choose csv, geff or napari")


def _choose_reader(format: str, path: Path) -> Callable[[Path, float], Tracks]:
    """Return the reader of a format; its module, and what that imports, loads only now."""
    if format == "csv":
        from morula.io.tracks.csv_table import read_csv

        return lambda place, unit_um: read_csv(place, unit_um=unit_um)
    if format == "linajea":
        from morula.io.tracks.linajea import read_linajea

        return lambda place, unit_um: read_linajea(place, unit_um=unit_um)
    if format == "mamut":
        from morula.io.tracks.mamut import read_mamut

        return lambda place, unit_um: read_mamut(place, unit_um=unit_um)
    if format == "mastodon":
        from morula.io.tracks.mastodon import read_mastodon

        return lambda place, unit_um: read_mastodon(place, unit_um=unit_um)
    if format == "geff":
        from morula.io.tracks.geff_tracks import read_geff_tracks

        return lambda place, unit_um: read_geff_tracks(place, unit_um=unit_um)
    raise TracksFormatError(f"{path}: tracks of the format {format!r} are not known.", fix=f"choose one of: {_KNOWN}")


def _find_format(path: Path) -> str:
    if path.is_dir():
        return _find_folder_format(path)
    with path.open("rb") as stream:
        head = stream.read(_SNIFFED_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or path.suffix.lower() == ".mastodon":
        return "mastodon"
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    if text.startswith("<"):
        return "mamut"
    if b"\x00" in head or head.startswith((b"\x89HDF", b"\xac\xed", b"II*", b"MM\x00")):
        raise TracksFormatError(
            f"{path} is a binary file of no known track format.",
            measured=f"first bytes: {head[:8].hex(' ')}",
            cause="a movie in place of the tracks, a table saved as UTF-16, or one file of an unpacked project",
            fix=f"give one of: {_KNOWN}",
        )
    from morula.io.tracks.linajea import looks_like_linajea

    return "linajea" if looks_like_linajea(text.partition("\n")[0]) else "csv"


def _find_folder_format(path: Path) -> str:
    if (path / "model.raw").is_file() or (path / "project.xml").is_file():
        return "mastodon"
    if any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zattrs")):
        return "geff"
    raise TracksFormatError(
        f"{path} is a folder of no known track format.",
        measured=f"found: {', '.join(sorted(item.name for item in path.iterdir())[:8]) or 'nothing'}",
        cause="a folder that holds track files, in place of one of them",
        fix="give the file itself, a GEFF folder, or an unpacked Mastodon project",
    )
