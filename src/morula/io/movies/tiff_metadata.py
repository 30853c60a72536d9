"""Voxel size and frame interval in the metadata of TIFF files. Owns the dialects of ImageJ and OME; guesses nothing.

The plain resolution tags (dots per inch for printing) are believed only together with ImageJ's unit, and a unit that is
not known leaves a size unknown, so that the user is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import tifffile
from defusedxml.common import DefusedXmlException

from morula.io.movies.units import as_number, convert_length, convert_time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TiffSizes:
    """What a file says about sizes.

    Parameters
    ----------
    voxel_size_um
        Voxel size in µm by axis letter (Z, Y, X); only what is known.
    frame_interval_s
        Time between frames in seconds; None if unknown.
    note
        What the file says that could not be used.
    """

    voxel_size_um: Mapping[str, float] = field(default_factory=dict)
    frame_interval_s: float | None = None
    note: str = "the TIFF file carries neither ImageJ nor OME metadata"


def read_sizes(file: tifffile.TiffFile) -> TiffSizes:
    """Read what an opened TIFF file says about sizes; a damaged entry counts as unknown."""
    if file.is_ome and file.ome_metadata:
        return _read_ome(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return _read_imagej(file.imagej_metadata, file.pages[0])
    return TiffSizes()


def _read_imagej(metadata: Mapping[str, object], page: tifffile.TiffPage) -> TiffSizes:
    unit = metadata.get("unit")
    sizes = {
        "Z": convert_length(metadata.get("spacing"), unit),
        "Y": convert_length(_pixel_size(page, "YResolution"), metadata.get("yunit", unit)),
        "X": convert_length(_pixel_size(page, "XResolution"), unit),
    }
    interval = convert_time(metadata.get("finterval"), metadata.get("tunit", "s"))
    return TiffSizes(
        {axis: size for axis, size in sizes.items() if size is not None},
        interval if interval else None,  # ImageJ writes 0 for unknown
        f"ImageJ unit {unit!r}, spacing {metadata.get('spacing')!r}",
    )


def _pixel_size(page: tifffile.TiffPage, tag: str) -> float | None:
    """Invert a resolution tag, which counts pixels per unit."""
    value = page.tags.valueof(tag)
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    pixels, units = as_number(value[0]), as_number(value[1])
    return units / pixels if pixels and units else None


def _read_ome(text: str) -> TiffSizes:
    try:
        root: Element = defusedxml.ElementTree.fromstring(text)
    except (ParseError, DefusedXmlException, ValueError) as error:
        logger.warning("the OME metadata cannot be read (%s) and are left out", error)
        return TiffSizes(note="the OME metadata are damaged")
    pixels = next((node for node in root.iter() if node.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return TiffSizes(note="the OME metadata describe no pixels")
    sizes = {
        axis: convert_length(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "ZYX"
    }
    stored = {name: value for name, value in pixels.attrib.items() if name.startswith("PhysicalSize")}
    return TiffSizes(
        {axis: size for axis, size in sizes.items() if size is not None},
        convert_time(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")),
        f"OME physical sizes {stored or 'missing'}",
    )
