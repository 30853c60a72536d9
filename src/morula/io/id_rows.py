"""From names of points to their rows, for tables and graphs of millions."""

from __future__ import annotations

import numpy as np

from morula.core.columns import IntArray

_SPARE = 1024


def find_rows(ids: IntArray, wanted: IntArray) -> IntArray:
    """Return the row of each wanted id, −1 where there is none.

    Parameters
    ----------
    ids
        Name of each row, shape (n,), int64; where one repeats, any of its rows may be returned.
    wanted
        Names to look up, any shape, int64.

    Returns
    -------
    IntArray
        Rows, shape of `wanted`. Ids that lie close together are looked up in a table, others by bisection.

    Examples
    --------
    >>> import numpy as np
    >>> find_rows(np.array([7, 3, 9]), np.array([9, 7, 4])).tolist()
    [2, 0, -1]
    """
    if len(ids) == 0:
        return np.full(wanted.shape, -1, np.int64)
    low, high = int(ids.min()), int(ids.max())
    if high - low <= 4 * len(ids) + _SPARE:
        table = np.zeros(high - low + 1, np.int64)
        table[ids - low] = np.arange(len(ids))
        row = table[np.clip(wanted, low, high) - low]
    else:
        order = np.argsort(ids, kind="stable")
        place = np.searchsorted(ids[order], wanted)
        row = order[np.minimum(place, len(ids) - 1)]
    return np.where(ids[row] == wanted, row, -1)
