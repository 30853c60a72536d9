"""What is read is counted like reading it."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.planning.reading import Reading, count_reading


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, list[tuple[int, int]]]:
    size, step, length, halo = (draw(st.integers(low, 9)) for low in (1, 1, 1, 0))
    return size, step, [(a - halo, min(a + length, size) + halo) for a in range(0, size, length)]


@settings(max_examples=60, deadline=None)
@given(st.lists(axes(), min_size=2, max_size=2), st.integers(1, 4))
def test_bytes_are_those_of_marking_every_piece_that_a_box_touches(
    drawn: list[tuple[int, int, list[tuple[int, int]]]], voxel_bytes: int
) -> None:
    size, step, sides = zip(*drawn, strict=True)
    piece = np.indices(size)  # which piece each voxel lies in
    number = [index // length for index, length in zip(piece, step, strict=True)]
    asked = read = 0
    for box in product(*sides):
        inside = np.ones(size, bool)
        for index, (first, last) in zip(piece, box, strict=True):
            inside &= (index >= first) & (index < last)
        touched = {tuple(int(n[place]) for n in number) for place in zip(*np.nonzero(inside), strict=True)}
        whole = sum(np.all([n == t for n, t in zip(number, one, strict=True)], axis=0).sum() for one in touched)
        asked, read = asked + int(inside.sum()), read + int(whole)
    assert count_reading(sides, size, step, voxel_bytes) == Reading(asked * voxel_bytes, read * voxel_bytes)


def test_a_share_of_reading_is_that_share_of_both() -> None:
    assert Reading(10.0, 40.0).share(0.5) == Reading(5.0, 20.0)
