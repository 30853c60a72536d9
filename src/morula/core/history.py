"""What training leaves behind for the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from morula.core.columns import FloatArray, ReadOnlyColumns, column


@dataclass(frozen=True, slots=True, eq=False)
class TrainingHistory(ReadOnlyColumns):
    """Losses by iteration and what validation said.

    Parameters
    ----------
    iteration
        Iterations at which losses were averaged, shape (n,).
    indicator_loss, movement_loss
        Mean losses since the entry before, shape (n,).
    val_iteration
        Iterations at which validation ran, shape (v,).
    val_recall
        Share of held-out annotations with a detection within the matching distance, shape (v,).
    val_movement_um
        Median error of the movement vector at held-out annotations, µm, shape (v,).
    val_no_motion_um
        The same error if no motion were predicted, µm, shape (v,): what the vectors must beat.
    """

    iteration: FloatArray
    indicator_loss: FloatArray
    movement_loss: FloatArray
    val_iteration: FloatArray
    val_recall: FloatArray
    val_movement_um: FloatArray
    val_no_motion_um: FloatArray

    def __post_init__(self) -> None:
        n, v = len(self.iteration), len(self.val_iteration)
        for name in ("iteration", "indicator_loss", "movement_loss"):
            object.__setattr__(self, name, column(getattr(self, name), np.float64, (n,), name))
        for name in ("val_iteration", "val_recall", "val_movement_um", "val_no_motion_um"):
            object.__setattr__(self, name, column(getattr(self, name), np.float64, (v,), name))
