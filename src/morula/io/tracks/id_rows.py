"""From names of points to their rows, for tables and graphs of millions."""

from __future__ import annotations

import numpy as np

from morula.core.columns import IntArray

_SPREAD = 16
_SPARE = 1024


def find_rows(ids: IntArray, wanted: IntArray) -> IntArray:
    """Return the row of each wanted id, −1 where there is none.

    Ids that count upwards by one need no search, ids that lie close together are looked up in a table, others are
    found by bisection of the sorted ids, in the order of the wanted ones so that memory is read in order too.

    Parameters
    ----------
    ids
        Name of each row, shape (n,), int64; where one repeats, any of its rows may be returned.
    wanted
        Names to look up, any shape, int64.

    Returns
    -------
    IntArray
        Rows, shape of `wanted`.

    Examples
    --------
    >>> import numpy as np
    >>> find_rows(np.array([7, 3, 9]), np.array([9, 7, 4])).tolist()
    [2, 0, -1]
    """
    n = len(ids)
    if n == 0:
        return np.full(wanted.shape, -1, np.int64)
    low, high = int(ids.min()), int(ids.max())
    inside = (wanted >= low) & (wanted <= high)
    if high - low == n - 1 and bool((np.diff(ids) == 1).all()):
        return np.where(inside, wanted - low, -1)
    if high - low <= _SPREAD * n + _SPARE:
        table = np.full(high - low + 1, -1, np.int64)
        table[ids - low] = np.arange(n)
        return np.where(inside, table[np.where(inside, wanted - low, 0)], -1)
    by_id, by_wanted = np.argsort(ids, kind="stable"), np.argsort(wanted, axis=None)
    sorted_ids, sorted_wanted = ids[by_id], wanted.ravel()[by_wanted]
    place = np.minimum(np.searchsorted(sorted_ids, sorted_wanted), n - 1)
    row = np.empty(wanted.size, np.int64)
    row[by_wanted] = np.where(sorted_ids[place] == sorted_wanted, by_id[place], -1)
    return row.reshape(wanted.shape)
