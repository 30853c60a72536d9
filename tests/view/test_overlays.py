"""Overlays: marks lie where the canvas says, tails reach back as far as they should, large embryos stay small."""

from __future__ import annotations

import re

import numpy as np
import pytest

from morula.core.columns import FloatArray
from morula.core.detections import Detections
from morula.core.lineages import Lineages
from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.view import overlays
from morula.view.colours import PALETTE, colour_of_lineage
from morula.view.overlays import TAIL_FRAMES, Layer, Overlay, OverlaySource
from morula.view.projections import Canvas

CANVAS = Canvas.of_movie(Movie(np.zeros((30, 10, 50, 100)), np.array([2.0, 1.0, 1.0])))
NOWHERE = (np.zeros(0, np.int64), np.zeros((0, 3)))


def detections(t: list[int], zyx_um: list[list[float]]) -> Detections:
    n = len(t)
    return Detections(np.array(t), np.array(zyx_um).reshape(-1, 3), np.ones(n), np.zeros((n, 3)))


def source(nodes: Detections, parent: list[int], **fields: object) -> OverlaySource:
    known = {"detections": nodes, "train": None, "val": None, "mistakes": NOWHERE} | fields
    return OverlaySource(CANVAS, lineages=Lineages.from_parents(nodes, np.array(parent)), **known)


def layers_of(overlay: Overlay, kind: str) -> list[Layer]:
    return [layer for layer in overlay.layers if layer.kind == kind]


def ring_centres(path: str) -> FloatArray:
    """Centres of the rings of a path, from its own moves and radii."""
    found = re.findall(r"M(-?[\d.]+) (-?[\d.]+)a([\d.]+)", path)
    return np.array([[float(u) + float(r), float(v)] for u, v, r in found])


def line_lengths(path: str) -> list[int]:
    return [line.count("L") for line in path.split("M") if line]


def test_a_detection_is_ringed_at_its_pixel_in_both_views() -> None:
    overlay = source(detections([3], [[8.0, 20.0, 70.0]]), [-1]).draw_frame(3)

    (ring,) = layers_of(overlay, "detections")
    above, beside = ring_centres(ring.path)

    # 10 units a µm; voxel centres lie half a voxel inside the image: z 2 µm, y and x 1 µm
    assert above == pytest.approx([705, 205])
    assert beside == pytest.approx([705, CANVAS.side_top + 90])


def test_only_the_frame_asked_for_is_ringed() -> None:
    overlay = source(detections([0, 1, 2], [[0, 0, 0], [0, 0, 1], [0, 0, 2]]), [-1, 0, 1]).draw_frame(1)

    assert overlay.n_cells == 1
    assert len(ring_centres(layers_of(overlay, "detections")[0].path)) == 2


def test_a_tail_reaches_back_as_far_as_the_legend_says() -> None:
    n = 20
    nodes = detections(list(range(n)), [[0, 0, i] for i in range(n)])
    overlay = source(nodes, list(range(-1, n - 1))).draw_frame(n - 1)

    steps = {layer.css.split()[0]: line_lengths(layer.path) for layer in layers_of(overlay, "tracks")}

    assert steps == {"old": [TAIL_FRAMES // 2] * 2, "new": [TAIL_FRAMES // 2] * 2}


def test_a_tail_stops_where_a_skipped_frame_leads_too_far_back() -> None:
    overlay = source(detections([0, 15], [[0, 0, 0], [0, 0, 9]]), [-1, 0]).draw_frame(15)

    assert layers_of(overlay, "tracks") == []


def test_a_division_is_marked_at_the_mother_for_as_long_as_tails_show_it() -> None:
    """0 ─ 1 ─┬─ 2
    └─ 3"""
    nodes = detections([0, 1, 2, 2], [[0, 9, 5], [0, 9, 6], [0, 5, 7], [0, 9, 7]])
    drawn = source(nodes, [-1, 0, 1, 1])

    assert [bool(layers_of(drawn.draw_frame(t), "divisions")) for t in (0, 1, 2)] == [False, True, True]
    assert [drawn.draw_frame(t).n_divisions for t in (0, 1, 2)] == [0, 1, 0]
    assert "M56.0 95.0l" in layers_of(drawn.draw_frame(2), "divisions")[0].path  # 65 − radius 9


def test_detections_that_no_lineage_holds_are_drawn_apart() -> None:
    nodes = detections([0, 0], [[0, 1, 1], [0, 2, 2]])
    found = detections([0, 0, 0], [[0, 1, 1], [0, 2, 2], [0, 30, 30]])
    overlay = source(nodes, [-1, -1], detections=found).draw_frame(0)

    (rejected,) = layers_of(overlay, "rejected")

    assert overlay.n_rejected == 1
    assert ring_centres(rejected.path)[0] == pytest.approx([305, 305])


def test_annotations_learned_from_and_held_out_look_different() -> None:
    point = Tracks.from_ids([0], [[0, 10, 10]], [1], [-1])
    other = Tracks.from_ids([0, 1], [[0, 20, 20], [0, 20, 21]], [1, 2], [-1, 1])
    overlay = source(Detections.empty(), [], train=point, val=other).draw_frame(0)

    assert [layer.css for layer in layers_of(overlay, "annotations")] == ["train", "val"]
    assert overlay.n_annotated == 2
    assert overlay.n_cells == 0


def test_a_mistake_is_marked_in_its_frame_only() -> None:
    places = (np.array([4]), np.array([[0.0, 10.0, 10.0]]))
    drawn = source(Detections.empty(), [], mistakes=places)

    assert [len(layers_of(drawn.draw_frame(t), "mistakes")) for t in (3, 4, 5)] == [0, 1, 0]


def test_cells_of_one_lineage_share_their_colour_and_neighbours_in_number_differ() -> None:
    nodes = detections([0, 0, 1, 1], [[0, 1, 1], [0, 9, 9], [0, 1, 2], [0, 9, 8]])
    drawn = source(nodes, [-1, -1, 0, 1])

    first, second = ({layer.css for layer in layers_of(drawn.draw_frame(t), "detections")} for t in (0, 1))

    assert first == second == {"c0", "c1"}
    ids = np.arange(100)
    assert (colour_of_lineage(ids[1:]) != colour_of_lineage(ids[:-1])).all()
    assert len(set(PALETTE)) == len(PALETTE)


def test_of_a_large_embryo_only_every_kth_cell_is_drawn_and_the_caption_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlays, "_MAX_CELLS", 10)
    n = 40
    nodes = detections([0] * n, [[0, 1, i] for i in range(n)])
    overlay = source(nodes, [-1] * n).draw_frame(0)

    drawn = sum(len(ring_centres(layer.path)) for layer in layers_of(overlay, "detections")) // 2

    assert (overlay.n_cells, overlay.drawn_every, drawn) == (n, 4, 10)
