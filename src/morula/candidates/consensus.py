"""What the neighbours say about a cell's movement: tissue flows, and a vector against the flow is often a mistake.

Where cells move further than half their spacing, a learned vector sometimes points to a neighbour's place instead of
the cell's own. Its neighbours rarely make the same mistake all at once.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from morula.core.columns import FloatArray


def find_consensus_um(zyx_um: FloatArray, movement_um: FloatArray, neighbours: int, outlier_um: float) -> FloatArray:
    """Return for each cell of a frame the movement its surroundings agree on best.

    Parameters
    ----------
    zyx_um
        Positions of the cells of one frame, µm, shape (n, 3).
    movement_um
        Their movement vectors, µm, shape (n, 3).
    neighbours
        How many nearest cells are asked beside the cell itself.
    outlier_um
        Vectors further apart than this count as if this far apart, so that mistaken ones do not pull.

    Returns
    -------
    array
        Shape (n, 3): of the vectors of the cell and its neighbours, the one with the least sum of distances to the
        others. Own vectors where there are fewer cells.
    """
    if len(zyx_um) <= neighbours:
        return movement_um
    _, around = cKDTree(zyx_um).query(zyx_um, k=neighbours + 1)
    vectors = movement_um[around]
    apart = np.linalg.norm(vectors[:, :, None] - vectors[:, None], axis=3)
    best = np.minimum(apart, outlier_um).sum(axis=2).argmin(axis=1)
    consensus: FloatArray = vectors[np.arange(len(vectors)), best]
    return consensus
