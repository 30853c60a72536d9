"""Tracks from the XML of MaMuT and TrackMate.

Read as a stream of elements, with entity declarations and document types refused, so that no file can make the reader
fetch or expand anything. Hidden spots (``VISIBILITY="0"``) and tracks missing from ``FilteredTracks`` are skipped.
The direction of an edge means nothing in this format: the spot in the earlier frame is the parent.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

import numpy as np
from defusedxml import sax
from defusedxml.common import DefusedXmlException

from morula.core.columns import FloatArray, IntArray
from morula.core.tracks import Tracks
from morula.errors import TracksFormatError
from morula.io.tracks.points import TrackPoints, build_tracks, choose_parents
from morula.io.tracks.units import choose_um_per_unit

_LOG = logging.getLogger(__name__)

_ID_LIMIT = 2**63


def read_mamut(path: Path, *, unit_um: float = 1.0) -> Tracks:
    """Read the spots and edges of a MaMuT or TrackMate file.

    Parameters
    ----------
    path
        XML file with the root element ``TrackMate``.
    unit_um
        µm per unit of the positions; 1 leaves the word to the file's ``spatialunits``.

    Raises
    ------
    TracksFormatError
        If the file is no XML, declares entities, has another root element, or an attribute is missing or no number;
        the line is named.
    TracksError
        If spots and edges make no lineage; the line is named.
    """
    content = _Content()
    handler = _TrackMateHandler(path, content)
    parser = sax.make_parser()
    parser.setContentHandler(handler)
    parser.forbid_dtd = True
    try:
        with path.open("rb") as stream:
            parser.parse(stream)
    except TracksFormatError:
        raise
    except DefusedXmlException as error:
        raise TracksFormatError(
            f"{path} declares a document type or entities ({type(error).__name__}); MaMuT files have none.",
            cause="a file made to harm its reader, or one that was edited",
            fix="save the annotations again in MaMuT",
        ) from None
    except (SAXException, ValueError, LookupError) as error:
        place = f", line {error.getLineNumber()}" if isinstance(error, SAXParseException) else ""
        said = error.getMessage() if isinstance(error, SAXException) else str(error)
        raise TracksFormatError(
            f"{path}{place}: the XML cannot be read ({said}).",
            cause="the file was cut off or damaged",
            fix="copy the file again, or save it again in MaMuT",
        ) from None
    if not handler.saw_spots:
        raise TracksFormatError(f"{path}: there is no element AllSpots in it.", fix="save it again in MaMuT")
    return _build(path, content, unit_um)


@dataclass(slots=True)
class _Content:
    """What the elements of one file said, in file order."""

    unit: str | None = None
    spots: list[tuple[int, float, float, float, float, float, int]] = field(default_factory=list)
    """ID, frame, z, y, x, radius, line."""
    hidden: set[int] = field(default_factory=set)
    edges: list[tuple[int, int, str, int]] = field(default_factory=list)
    """Spot ID, spot ID, track, line."""
    shown_tracks: set[str] | None = None


class _TrackMateHandler(ContentHandler):
    def __init__(self, path: Path, content: _Content) -> None:
        super().__init__()
        self._path, self._content = path, content
        self._locator: Locator | None = None
        self._root_seen = False
        self._frame: str | None = None
        self._track = ""
        self.saw_spots = False

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - the interface's name
        if not self._root_seen:
            self._root_seen = True
            if name != "TrackMate":
                raise _wrong_root(self._path, name)
        elif name == "Spot":
            self._add_spot(attrs)
        elif name == "Edge":
            source, target = self._whole(attrs, "SPOT_SOURCE_ID"), self._whole(attrs, "SPOT_TARGET_ID")
            self._content.edges.append((source, target, self._track, self._line()))
        elif name == "SpotsInFrame":
            self._frame = attrs.get("frame")
        elif name == "Track":
            self._track = attrs.get("TRACK_ID", "")
        elif name == "FilteredTracks":
            self._content.shown_tracks = set()
        elif name == "TrackID" and self._content.shown_tracks is not None:
            self._content.shown_tracks.add(attrs.get("TRACK_ID", ""))
        elif name == "Model":
            self._content.unit = attrs.get("spatialunits")
        elif name == "AllSpots":
            self.saw_spots = True

    def _add_spot(self, attrs: AttributesImpl) -> None:
        spot_id = self._whole(attrs, "ID")
        if attrs.get("VISIBILITY") == "0":
            self._content.hidden.add(spot_id)
            return
        frame = self._first_number(attrs.get("FRAME"), self._frame, attrs.get("POSITION_T"))
        z, y, x = (self._number(attrs, f"POSITION_{axis}") for axis in "ZYX")
        radius = self._number(attrs, "RADIUS") if "RADIUS" in attrs else float("nan")
        self._content.spots.append((spot_id, frame, z, y, x, radius, self._line()))

    def _first_number(self, *texts: str | None) -> float:
        text = next((text for text in texts if text is not None), None)
        if text is None:
            raise self._refusal("Spot has no FRAME")
        return self._parse(text, "FRAME")

    def _number(self, attrs: AttributesImpl, name: str) -> float:
        text = attrs.get(name)
        if text is None:
            raise self._refusal(f"Spot has no {name}")
        return self._parse(text, name)

    def _parse(self, text: str, name: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self._refusal(f"{name} is {text[:40]!r}, expected a number") from None

    def _whole(self, attrs: AttributesImpl, name: str) -> int:
        text = attrs.get(name, "")
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) < _ID_LIMIT):
            raise self._refusal(f"{name} is {text[:40]!r}, expected a whole number")
        return int(text)

    def _line(self) -> int:
        return (self._locator.getLineNumber() if self._locator else None) or 0

    def _refusal(self, problem: str) -> TracksFormatError:
        return TracksFormatError(
            f"{self._path}, line {self._line()}: {problem}.",
            cause="the file is damaged or was edited by hand",
            fix="save it again in MaMuT",
        )


def _wrong_root(path: Path, name: str) -> TracksFormatError:
    if name == "SpimData":
        return TracksFormatError(
            f"{path} is not a MaMuT file: its root element is SpimData, the description of an image in BDV format.",
            measured="no spots and no tracks in it",
            cause="the XML of the movie was given in place of the XML of the annotations",
            fix="give the file that MaMuT saved (root element TrackMate); this one belongs to the movie",
        )
    return TracksFormatError(
        f"{path} is not a MaMuT file: its root element is {name[:40]}, expected TrackMate.",
        fix="give the XML that MaMuT or TrackMate saved",
    )


def _build(path: Path, content: _Content, unit_um: float) -> Tracks:
    edges, skipped = _shown_edges(content)
    hidden = content.hidden | skipped
    spots = [spot for spot in content.spots if spot[0] not in skipped]
    if hidden:
        _LOG.warning("%s: skipped %d hidden spots and the edges that touch them.", path, len(hidden))
    numbers: FloatArray = np.array([spot[1:6] for spot in spots], np.float64).reshape(-1, 5)
    lines = [spot[6] for spot in spots]
    ids: IntArray = np.array([spot[0] for spot in spots], np.int64)
    row_of = {spot[0]: row for row, spot in enumerate(spots)}
    kept = [edge for edge in edges if edge[0] not in hidden and edge[1] not in hidden]
    for source, target, _, line in kept:
        if source not in row_of or target not in row_of:
            unknown = source if source not in row_of else target
            raise TracksFormatError(
                f"{path}, line {line}: the edge names spot {unknown}, which is not in the file.",
                cause="the file is damaged or was edited by hand",
                fix="save it again in MaMuT",
            )
    links: IntArray = np.array([(row_of[edge[0]], row_of[edge[1]]) for edge in kept], np.int64).reshape(-1, 2)
    parent_row = choose_parents(numbers[:, 0], links, str(path), lambda row: f"line {kept[row][3]}")
    radius = numbers[:, 4]
    points = TrackPoints(
        file=str(path),
        t=numbers[:, 0],
        zyx=numbers[:, 1:4],
        id=ids,
        parent_id=np.where(parent_row >= 0, ids[parent_row], -1) if len(ids) else parent_row,
        place=lambda row: f"line {lines[row]}",
        radius=None if np.isnan(radius).all() else radius,
    )
    return build_tracks(points, um_per_unit=choose_um_per_unit(content.unit, unit_um, str(path)))


def _shown_edges(content: _Content) -> tuple[list[tuple[int, int, str, int]], set[int]]:
    """Return the edges of the tracks that are shown, and the spots of those that are not."""
    shown = content.shown_tracks
    if shown is None:
        return content.edges, set()
    kept = [edge for edge in content.edges if edge[2] in shown]
    left_out = {spot for edge in content.edges if edge[2] not in shown for spot in edge[:2]}
    return kept, left_out - {spot for edge in kept for spot in edge[:2]}
