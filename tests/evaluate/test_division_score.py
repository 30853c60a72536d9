import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.evaluate.division_score import _pair_divisions, score_divisions
from morula.evaluate.matched import match_tracks


def division(at: int, frames: int = 8, *, apart_um: float = 10.0, y_um: float = 0.0, opening: int = 0) -> Tracks:
    """A mother that divides in frame `at`; the daughters reach ±apart/2, at once or over `opening` frames."""
    rows = [(t, y_um) for t in range(at + 1)]
    parent = list(range(-1, at))
    for side in (-1, 1):
        for t in range(at + 1, frames):
            share = 1.0 if not opening else min(1.0, (t - at) / opening)
            rows.append((t, y_um + side * share * apart_um / 2))
            parent.append(at if t == at + 1 else len(rows) - 2)
    t = np.array([t for t, _ in rows])
    zyx = np.array([[0.0, y, 0.0] for _, y in rows])
    return Tracks(t, zyx, np.arange(len(t)), np.array(parent))


def score(found: Tracks, truth: Tracks, tolerance: int, *, dense: bool = False, d: float = 3.0):
    result = score_divisions(match_tracks(found, truth, d, np.ones(truth.n, bool)), tolerance, dense=dense)
    return result.tp, result.fp, result.fn


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("tolerance", [0, 1, 2])
def test_a_division_is_found_within_the_tolerance_and_not_beyond(shift, tolerance):
    """The daughters part over four frames, 1.25 µm a frame each, so that the shifted mother stays within 3 µm."""
    truth, found = division(3, opening=4), division(3 + shift, opening=4)
    assert score(found, truth, tolerance) == ((1, 0, 0) if abs(shift) <= tolerance else (0, 1, 1))


def test_a_division_elsewhere_at_the_right_moment_is_not_found():
    assert score(division(3, y_um=4.0), division(3), 1, dense=True) == (0, 1, 1)


def test_a_division_elsewhere_is_unknown_where_the_truth_is_sparse():
    assert score(division(3, y_um=40.0), division(3), 1) == (0, 0, 1)


def test_daughters_in_exchanged_order_are_the_same_daughters():
    truth = division(3)
    mirrored = Tracks(truth.t, truth.zyx_um * [1, -1, 1], truth.id, truth.parent_row)
    assert score(mirrored, truth, 0) == (1, 0, 0)


def test_a_branch_that_ends_before_both_daughters_exist_finds_nothing():
    """
    truth   o---o---o<          the division comes two frames early and its upper branch ends at once
    found   o<
    """
    truth, found = division(3, opening=4), division(1, opening=4)
    keep = ~((found.zyx_um[:, 1] > 0) & (found.t > 2))
    assert score(found, truth, 2)[0] == 1
    assert score(found.rows(keep), truth, 2)[0] == 0


def test_one_reconstructed_division_finds_one_true_division_only():
    """The same cell divides twice in a row; only one of the two divisions was reconstructed.

    truth   o---o<o---o---o        found   o---o<o---o---o
                  o<o---o                        o---o---o
                    o---o
    """
    t = [0, 1, 2, 3, 4, 2, 3, 4, 3, 4]
    y = [0, 0, 5, 5, 5, -1, -2, -2, 1, 1]
    parent = [-1, 0, 1, 2, 3, 1, 5, 6, 5, 8]
    zyx = np.stack([np.zeros(10), np.array(y, float), np.zeros(10)], axis=1)
    truth = Tracks(np.array(t), zyx, np.arange(10), np.array(parent))
    assert score(truth, truth, 1) == (2, 0, 0)
    assert score(truth.rows(np.arange(10) < 8), truth, 1) == (1, 0, 1)


def test_the_nearest_in_time_is_taken_when_two_could_find_it():
    """One comes in time, 1.5 µm aside, lost after frame 4; the other a frame late and nearer, 1.25 µm away."""
    truth, late = division(3, opening=4), division(4, opening=4)
    in_time = division(3, 5, opening=4)
    aside = in_time.zyx_um - np.array([0.0, 1.5, 0.0]) * (in_time.t == 3)[:, None]
    both = Tracks(
        np.concatenate([in_time.t, late.t]),
        np.concatenate([aside, late.zyx_um]),
        np.arange(in_time.n + late.n),
        np.concatenate([in_time.parent_row, np.where(late.parent_row >= 0, late.parent_row + in_time.n, -1)]),
    )
    matched = match_tracks(both, truth, 3.0, np.ones(truth.n, bool))
    late_alone = match_tracks(late, truth, 3.0, np.ones(truth.n, bool))
    assert [rows.tolist() for rows in _pair_divisions(late_alone, 1)] == [[3], [4]]
    assert [rows.tolist() for rows in _pair_divisions(matched, 1)] == [[3], [3]]
    assert score(both, truth, 1, dense=True) == (1, 1, 0)


def test_daughters_after_a_skipped_frame_are_compared_where_all_four_exist():
    r"""Truth and reconstruction divide in frame 1; one true daughter first appears in frame 3.

    frame   0   1   2   3   4
    truth   o---o---o---o---o
                 \------o---o
    """
    found = division(1, frames=5)
    late = (found.zyx_um[:, 1] > 0) & (found.t == 2)
    parent_id = np.where(np.isin(found.parent_id, found.id[late]), 1, found.parent_id)
    truth = Tracks.from_ids(found.t[~late], found.zyx_um[~late], found.id[~late], parent_id[~late])
    assert (truth.n_children == 2).sum() == 1
    assert score(found, truth, 0) == (1, 0, 0)


def test_only_scored_divisions_are_counted():
    truth = division(3)
    matched = match_tracks(truth, truth, 3.0, truth.t < 4)
    result = score_divisions(matched, 1, dense=True)
    assert (result.tp, result.fp, result.fn) == (0, 0, 0)
