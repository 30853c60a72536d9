from __future__ import annotations

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.network.valid_reach import context_of, trim_of

FACTORS = st.lists(st.sampled_from([1, 2, 4]), min_size=1, max_size=4)


def _lengths(factors: list[int], length: int) -> int:
    """Length of what a U-Net of valid convolutions gives on an axis; fails where a level does not divide."""
    length -= 4
    if not factors:
        return length
    assert length % factors[0] == 0
    return _lengths(factors[1:], length // factors[0]) * factors[0] - 4


@given(factors=FACTORS, strides=st.integers(1, 5))
def test_an_input_with_its_trim_divides_at_every_level_and_leaves_the_middle(factors, strides) -> None:
    stride, trim = prod(factors), trim_of(factors)
    left = _lengths(factors, strides * stride + 2 * trim)
    surplus = left - strides * stride
    assert surplus >= 0
    assert surplus % 2 == 0
    assert surplus < max(stride, 2)


@given(factors=FACTORS)
def test_no_smaller_trim_would_do(factors) -> None:
    stride, trim = prod(factors), trim_of(factors)
    for less in range(1, min(trim, stride) + 1):
        try:
            enough = _lengths(factors, stride + 2 * (trim - less)) >= stride
        except AssertionError:
            continue
        assert not enough


@pytest.mark.parametrize(("factors", "trim"), [([2, 2, 2], 46), ([1, 2, 2], 24), ([1, 1, 1], 14)])
def test_the_trim_of_the_published_networks(factors, trim) -> None:
    assert trim_of(factors) == trim


@given(factors=FACTORS)
def test_the_context_is_the_trim_or_up_to_one_stride_more(factors) -> None:
    assert trim_of(factors) - prod(factors) < context_of(factors) <= trim_of(factors) + prod(factors) - 1
