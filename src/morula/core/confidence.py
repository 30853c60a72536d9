"""How sure a choice is: what deciding otherwise would cost, and the probability that each cell's past is right.

Owns the types that travel from the solver to store, exports and report. The *past* of a selected cell is the one thing
decided about it: its parent, or that its track begins there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import BoolArray, FloatArray, IntArray, ReadOnlyColumns


@dataclass(frozen=True, slots=True, eq=False)
class Margins(ReadOnlyColumns):
    """What the objective would lose at least by deciding otherwise, one thing at a time.

    Parameters
    ----------
    node, edge
        For a selected node or link: by leaving it; for another: by taking it. In the unit of the costs, not negative,
        infinite for what is pinned, shapes (n,) and (m,), float64.
    lower_bound
        Every forest that decides otherwise costs this plus the margin, or more. Where it equals the objective, margins
        never exceed the true loss.

    Raises
    ------
    ValueError
        If a margin is negative or no number.
    """

    node: FloatArray
    edge: FloatArray
    lower_bound: float

    def __post_init__(self) -> None:
        for name in ("node", "edge"):
            values = np.asarray(getattr(self, name), np.float64).view()
            if values.ndim != 1 or not (values >= 0).all():
                raise ValueError(f"{name} margins: expected one number from 0 upwards each, shape (n,)")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def of_pasts(self, edges: IntArray, node_selected: BoolArray, edge_selected: BoolArray) -> FloatArray:
        """Return what another past of each node would cost at least, shape (n,).

        Parameters
        ----------
        edges
            Rows of parent and child, shape (m, 2).
        node_selected, edge_selected
            The choice, shapes (n,) and (m,).

        Returns
        -------
        past
            For a linked node the margin of its link; for the first of a track the least of being linked to any
            candidate parent and of being left; for a node that was left its own margin.
        """
        past = self.node.copy()
        child = edges[:, 1]
        begins = node_selected.copy()
        begins[child[edge_selected]] = False
        offered = begins[child] & ~edge_selected
        np.minimum.at(past, child[offered], self.edge[offered])
        past[child[edge_selected]] = self.edge[edge_selected]
        return past


@dataclass(frozen=True, slots=True, eq=False)
class Confidence(ReadOnlyColumns):
    """Margins and probabilities of a selection.

    Parameters
    ----------
    margins
        Of the graph's nodes and links.
    past_margin
        What another past of each node would cost at least, shape (n,), see `Margins.of_pasts`.
    past_right
        Probability that the past of each selected node is right, above 0; 1 only where there was nothing to decide (the
        first frame, starts without cost, what is pinned); NaN for nodes that were left. Shape (n,).
    basis
        What the probabilities rest on, in words.

    Raises
    ------
    ValueError
        If a probability lies outside 0 to 1, or lengths differ.
    """

    margins: Margins
    past_margin: FloatArray
    past_right: FloatArray
    basis: str

    def __post_init__(self) -> None:
        n = len(self.margins.node)
        for name in ("past_margin", "past_right"):
            values = np.asarray(getattr(self, name), np.float64).view()
            if values.shape != (n,):
                raise ValueError(f"{name} has shape {values.shape}, expected {(n,)}")
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        known = self.past_right[~np.isnan(self.past_right)]
        if ((known <= 0) | (known > 1)).any():
            raise ValueError("past_right: a probability lies outside 0 to 1")
