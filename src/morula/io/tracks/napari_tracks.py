"""Tracks as napari's Tracks layer takes them: in memory, and as a folder of two small files.

A folder holds ``tracks.csv`` (header ``track_id,t,z,y,x``, one line per point, µm) and ``graph.json`` (tracklet → list
of its parent tracklets). A track of napari is an unbranched piece here: a division ends one and begins two.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from morula.core.columns import FloatArray
from morula.core.tracks import Tracks
from morula.io.atomic import replace_folder

_POINTS, _GRAPH = "tracks.csv", "graph.json"


def napari_tracks(tracks: Tracks) -> tuple[FloatArray, dict[int, list[int]]]:
    """Return the `data` and `graph` arguments of ``napari.layers.Tracks``.

    Parameters
    ----------
    tracks
        Points and links.

    Returns
    -------
    data
        Columns tracklet, t, z, y, x (frame and µm), shape (n, 5), sorted by tracklet, then t.
    graph
        Parent tracklet of each tracklet that a division (or any branch) begins.

    Examples
    --------
    >>> mother_and_daughters = Tracks.from_ids([0, 1, 1], [[0, 0, 5], [0, 0, 3], [0, 0, 7]], [1, 2, 3], [-1, 1, 1])
    >>> napari_tracks(mother_and_daughters)[1]
    {1: [0], 2: [0]}
    """
    tracklet = tracks.tracklet_id()
    order = np.lexsort((tracks.t, tracklet))
    data = np.column_stack([tracklet, tracks.t, tracks.zyx_um]).astype(np.float64)[order]
    parent, child = tracks.edges.T
    first = tracklet[parent] != tracklet[child]
    pairs = zip(tracklet[child[first]].tolist(), tracklet[parent[first]].tolist(), strict=True)
    return data, {begun: [before] for begun, before in sorted(pairs)}


def write_napari_tracks(tracks: Tracks, path: Path, *, overwrite: bool = False) -> None:
    """Write the folder described above.

    Parameters
    ----------
    tracks
        Points and links.
    path
        Folder to write; it appears whole or not at all.
    overwrite
        Replace a folder written by this function.

    Raises
    ------
    DiskError
        If the folder exists and `overwrite` is false or it holds something else, or the disk refuses.
    """
    data, graph = napari_tracks(tracks)
    rounded = np.round(data, 6) + 0.0  # + 0.0 turns −0.0 into 0.0
    with replace_folder(path, overwrite=overwrite, is_replaceable=_holds_napari_tracks) as temporary:
        temporary.mkdir()
        with (temporary / _POINTS).open("w", encoding="utf-8", newline="") as out:
            out.write("track_id,t,z,y,x\n")
            out.writelines(map("%d,%d,%.6f,%.6f,%.6f\n".__mod__, map(tuple, rounded.tolist())))
        (temporary / _GRAPH).write_text(json.dumps(graph, indent=1) + "\n", encoding="utf-8")


def _holds_napari_tracks(folder: Path) -> bool:
    return {item.name for item in folder.iterdir()} <= {_POINTS, _GRAPH}
