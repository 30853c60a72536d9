"""Axes are cut into parts of about equal length, and frames into blocks that see least around them."""

from __future__ import annotations

from itertools import product
from math import prod

from hypothesis import given
from hypothesis import strategies as st

from morula.core.cutting import choose_lengths, list_cuts

SIDES = st.tuples(st.integers(1, 40), st.integers(1, 5), st.integers(0, 6), st.integers(0, 2))


@given(SIDES)
def test_what_parts_see_is_what_their_margins_add(side: tuple[int, int, int, int]) -> None:
    size, step, halo, trim = side
    cuts = list_cuts(size, step, halo, trim)
    whole = -(-size // step) * step
    for length, most, together in zip(*cuts, strict=True):
        seen = [min(a + length + halo, whole) - max(a - halo, 0) + 2 * trim for a in range(0, size, int(length))]
        assert (most, together) == (max(seen), sum(seen))
    assert cuts.write[0] == whole
    assert cuts.write[-1] == step


@given(st.lists(SIDES, min_size=3, max_size=3), st.floats(1e-6, 0.1))
def test_no_other_cut_that_fits_sees_less(sides: list[tuple[int, int, int, int]], megavoxels: float) -> None:
    axes = [list_cuts(*side) for side in sides]
    lengths = choose_lengths(axes, megavoxels)
    ways = list(product(*(range(len(cuts.write)) for cuts in axes)))
    fitting = [way for way in ways if prod(c.most[i] for c, i in zip(axes, way, strict=True)) / 1e6 <= megavoxels]
    assert (lengths is None) == (not fitting)
    if lengths is not None:
        chosen = tuple(c.write.tolist().index(n) for c, n in zip(axes, lengths, strict=True))
        assert chosen in fitting
        work = [prod(c.all[i] for c, i in zip(axes, way, strict=True)) for way in fitting]
        assert prod(c.all[i] for c, i in zip(axes, chosen, strict=True)) == min(work)
