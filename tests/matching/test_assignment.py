from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.matching import assignment
from morula.matching.assignment import choose_most_pairs, choose_pairs


def one_to_one_choices(row_a, row_b):
    """All one-to-one subsets of the pairs, by trying every subset."""
    for size in range(len(row_a) + 1):
        for subset in combinations(range(len(row_a)), size):
            chosen = list(subset)
            if len(set(row_a[chosen])) == size == len(set(row_b[chosen])):
                yield chosen


def draw_pairs(seed, n_pairs):
    rng = np.random.default_rng(seed)
    every = np.stack(np.meshgrid(np.arange(4), np.arange(4), indexing="ij"), axis=-1).reshape(-1, 2)
    row_a, row_b = rng.permutation(every)[:n_pairs].T
    return row_a * 7, row_b * 3, rng.integers(0, 6, n_pairs) / 2


def is_one_to_one(row_a, row_b, chosen):
    return len(set(row_a[chosen])) == chosen.sum() == len(set(row_b[chosen]))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000), n_pairs=st.integers(0, 9))
def test_the_chosen_pairs_gain_as_much_as_the_best_of_all_choices(seed, n_pairs):
    row_a, row_b, value = draw_pairs(seed, n_pairs)
    gain = value + 0.5
    chosen = choose_pairs(row_a, row_b, gain)
    assert is_one_to_one(row_a, row_b, chosen)
    assert gain[chosen].sum() == pytest.approx(max(gain[c].sum() for c in one_to_one_choices(row_a, row_b)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 100_000), n_pairs=st.integers(0, 9))
def test_the_most_pairs_are_chosen_and_among_those_the_cheapest(seed, n_pairs):
    row_a, row_b, cost = draw_pairs(seed, n_pairs)
    chosen = choose_most_pairs(row_a, row_b, cost)
    assert is_one_to_one(row_a, row_b, chosen)
    best = min((-len(c), cost[c].sum()) for c in one_to_one_choices(row_a, row_b))
    assert (-chosen.sum(), cost[chosen].sum()) == pytest.approx(best)


def test_many_components_in_many_batches_give_the_sum_of_their_own_answers(monkeypatch):
    rng = np.random.default_rng(3)
    whole = [np.concatenate(parts) for parts in zip(*(draw_pairs(seed, 9) for seed in range(40)), strict=True)]
    block = np.repeat(np.arange(40), 9)
    row_a, row_b, gain = whole[0] + 100 * block, whole[1] + 100 * block, whole[2] + 0.5
    order = rng.permutation(len(gain))
    apart = sum(gain[b][choose_pairs(row_a[b], row_b[b], gain[b])].sum() for b in block == np.arange(40)[:, None])
    together = gain[choose_pairs(row_a, row_b, gain)].sum()
    monkeypatch.setattr(assignment, "_ROWS_PER_BATCH", 5)
    in_batches = gain[order][choose_pairs(row_a[order], row_b[order], gain[order])].sum()
    assert together == pytest.approx(apart)
    assert in_batches == pytest.approx(apart)


def test_the_numbers_of_the_rows_do_not_change_a_tie():
    """All four pairs gain the same, so two choices are equally good; the order of the pairs decides."""
    row_a, row_b, gain = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.ones(4)
    chosen = choose_pairs(row_a, row_b, gain)
    assert choose_pairs(1 - row_a, 9 - row_b, gain).tolist() == chosen.tolist()
    assert choose_most_pairs(1 - row_a, 9 - row_b, gain).tolist() == choose_most_pairs(row_a, row_b, gain).tolist()
