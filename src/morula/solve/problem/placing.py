"""What lies at the places where a person pinned something: the rows of a graph, or a refusal that names the line.

Owns the rule "the nearest detection of that frame, within a distance". Refuses pins that match nothing, and pins that
say the opposite of another; whether the rest agree is found where they are solved, see `contradiction`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray
from morula.core.graph import CandidateGraph
from morula.core.pins import FREE, IN, PinArray, Pins, PlacedPins
from morula.errors import AnnotationError

_WORDS = {True: "in", False: "out"}


def place_pins(graph: CandidateGraph, placed: PlacedPins, *, max_distance_um: float, pins: Pins | None = None) -> Pins:
    """Turn pins at places into pins of nodes and links.

    Parameters
    ----------
    graph
        The candidate graph.
    placed
        Pins made by hand.
    max_distance_um
        Largest distance in µm from a place to the detection that is meant.
    pins
        What is pinned already; None for nothing.

    Returns
    -------
    pins
        Both together.

    Raises
    ------
    AnnotationError
        If a place is near no detection, no candidate link joins those of a pinned link, or two pins are opposed; the
        message names the line.

    Notes
    -----
    All candidate links are looked through for every pinned one: made for what a person can write down.
    """
    known = pins or Pins.none(graph.nodes.n, graph.n_edges)
    nodes, links = _Column(known.node.copy(), placed), _Column(known.edge.copy(), placed)
    for row in range(placed.n):
        where = placed.place(row)
        child = _find_detection(graph, int(placed.t[row]), placed.zyx_um[row], max_distance_um, where)
        if placed.parent_t[row] < 0:
            nodes.pin(child, row)
            continue
        parent = _find_detection(graph, int(placed.parent_t[row]), placed.parent_zyx_um[row], max_distance_um, where)
        links.pin(_find_link(graph, parent, child, where), row)
    return Pins(node=nodes.values, edge=links.values)


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """The pins of all nodes or of all links, and which line pinned what."""

    values: PinArray
    placed: PlacedPins

    def pin(self, at: int, row: int) -> None:
        pin, before = self.placed.pin[row], self.values[at]
        if before not in (FREE, pin):
            raise AnnotationError(
                f"{self.placed.place(row)}: what lies here is pinned {_WORDS[pin == IN]}, and {_WORDS[before == IN]} "
                "by an earlier line or the graph itself.",
                cause="two corrections of the same thing, or two places whose nearest detection is the same",
                fix="remove one of the two",
            )
        self.values[at] = pin


def _find_detection(graph: CandidateGraph, t: int, zyx_um: FloatArray, max_distance_um: float, where: str) -> int:
    """Return the row of the nearest detection of frame t; of equally near ones the first."""
    frame = graph.nodes.frame(t)
    distance = np.linalg.norm(graph.nodes.zyx_um[frame] - zyx_um, axis=1)
    nearest = int(distance.argmin()) if len(distance) else -1
    if nearest >= 0 and distance[nearest] <= max_distance_um:
        return int(frame.start) + nearest
    z, y, x = zyx_um
    measured = f"the nearest one is {distance[nearest]:.2f} µm away" if nearest >= 0 else f"frame {t} has no detections"
    raise AnnotationError(
        f"{where}: no detection lies within {max_distance_um:g} µm of z {z:g}, y {y:g}, x {x:g} in frame {t}.",
        measured=measured,
        cause="a cell that was not detected, positions in another unit than µm, or pins of another movie",
        fix="correct the place or remove the line; a lower detect.threshold finds weaker cells",
    )


def _find_link(graph: CandidateGraph, parent: int, child: int, where: str) -> int:
    """Return the row of the link between two detections."""
    of_child = np.flatnonzero(graph.edges[:, 1] == child)
    found = of_child[graph.edges[of_child, 0] == parent]
    if len(found):
        return int(found[0])
    apart = float(np.linalg.norm(graph.nodes.zyx_um[parent] - graph.nodes.zyx_um[child]))
    raise AnnotationError(
        f"{where}: no candidate link joins the detections at these two places.",
        measured=f"they are {apart:.2f} µm apart; {len(of_child)} links lead to the child",
        cause="cells farther apart than links are offered, or frames left out between them",
        fix="raise candidates.max_distance_um, max_parents or max_skip_frames, or remove the line",
    )
