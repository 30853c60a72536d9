"""Looking up rows by id."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.io.tracks.id_rows import find_rows

near, far = st.integers(-20, 20), st.integers(-(2**63), 2**63 - 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(near, far), unique=True, max_size=30), st.lists(st.one_of(near, far), max_size=30))
def test_every_id_is_found_where_it_stands_and_no_other(ids: list[int], others: list[int]) -> None:
    wanted = [*ids, *others]
    rows = find_rows(np.array(ids, np.int64), np.array(wanted, np.int64))
    assert rows.tolist() == [ids.index(name) if name in ids else -1 for name in wanted]


def test_tables_and_bisection_agree() -> None:
    rng = np.random.default_rng(0)
    ids = rng.permutation(5000)
    wanted = rng.integers(-100, 6000, (3000, 2))
    stretched = find_rows(ids * 2**40, wanted * 2**40)
    np.testing.assert_array_equal(find_rows(ids, wanted), stretched)
