"""Tracks as GEFF: read from any GEFF with the axes t, z, y, x, written with radius, tracklet and lineage ids.

Edges should point from parent to child; in an undirected graph, or where they point backwards, the earlier end is
the parent. Lengths are converted to µm by the units of the axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from morula.core.tracks import Tracks
from morula.errors import TracksError, TracksFormatError
from morula.io.tracks.csv_table import check_columns
from morula.io.tracks.geff_store import GeffFolder
from morula.io.tracks.geff_write import GeffTable, write_geff
from morula.io.tracks.id_rows import find_rows
from morula.io.tracks.points import TrackPoints, build_tracks, choose_parents

_OWN_PROPS = {"tracklet_id", "lineage_id"}


def read_geff_tracks(path: Path, *, unit_um: float = 1.0) -> Tracks:
    """Read a GEFF as tracks; node ids are kept.

    Parameters
    ----------
    path
        GEFF folder.
    unit_um
        µm per unit of the positions; 1 leaves the word to the units of the axes.

    Raises
    ------
    TracksFormatError
        If this is no GEFF, an array is damaged, or an edge names an unknown node.
    TracksError
        If nodes and edges make no lineage, for example in a candidate graph.
    """
    geff = GeffFolder(path)
    t, zyx_um, factors = geff.read_positions(unit_um)
    links = find_rows(geff.node_id, geff.edge_ids)
    unknown = np.flatnonzero((links < 0).any(axis=1))
    if len(unknown):
        raise TracksFormatError(
            f"{path}, edge {unknown[0]}: one of its nodes {geff.edge_ids[unknown[0]].tolist()} is not in the graph.",
            measured=f"{len(unknown)} such edges of {len(links)}",
            cause="nodes were removed without their edges",
            fix="check it with `geff validate`, or write it again",
        )
    parent_row = choose_parents(t, links, str(path), lambda row: f"edge {row} {geff.edge_ids[row].tolist()}")
    points = TrackPoints(
        file=str(path),
        t=t,
        zyx=zyx_um,
        id=geff.node_id,
        parent_id=np.where(parent_row >= 0, geff.node_id[parent_row], -1) if len(t) else parent_row,
        place=lambda row: f"node {geff.node_id[row]}",
        radius=geff.read_node_prop("radius") * factors[0] if geff.has_node_prop("radius") else None,
    )
    return build_tracks(points, um_per_unit=1.0)


def write_geff_tracks(
    tracks: Tracks,
    path: Path,
    *,
    columns: Mapping[str, npt.NDArray[np.generic]] | None = None,
    overwrite: bool = False,
) -> None:
    """Write tracks as GEFF, sorted by frame, then id, edges from parent to child.

    Parameters
    ----------
    tracks
        Points and links; ids become node ids, a radius the property `radius`.
    path
        Folder to write; it appears whole or not at all.
    columns
        Further node properties, one number per point, in the row order of `tracks`.
    overwrite
        Replace a zarr folder that exists.

    Raises
    ------
    TracksError
        If a further column has a name or length that does not fit.
    DiskError
        If the folder exists and `overwrite` is false, or the disk refuses.
    """
    extra = dict(columns or {})
    check_columns(tracks, extra)
    taken = _OWN_PROPS & extra.keys()
    if taken:
        raise TracksError(f"further column {min(taken)!r}: morula writes a property of this name itself.")
    order = np.lexsort((tracks.id, tracks.t))
    props: dict[str, npt.NDArray[np.generic]] = {
        "t": tracks.t,
        **{name: tracks.zyx_um[:, axis] for axis, name in enumerate("zyx")},
        "tracklet_id": tracks.tracklet_id(),
        "lineage_id": tracks.lineage_id(),
    }
    if tracks.radius_um is not None and "radius" not in extra:
        props["radius"] = tracks.radius_um
    props |= extra
    parent = tracks.parent_row[order]
    linked = parent >= 0
    table = GeffTable(
        node_id=tracks.id[order],
        node_props={name: np.ascontiguousarray(values[order]) for name, values in props.items()},
        edge_ids=np.stack([tracks.id[parent[linked]], tracks.id[order][linked]], axis=1),
        in_um=frozenset({"radius"}),
        radius="radius" if "radius" in props else None,
        tracklet="tracklet_id",
        lineage="lineage_id",
    )
    write_geff(table, path, overwrite=overwrite)
