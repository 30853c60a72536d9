from __future__ import annotations

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.synthetic.nuclei import describe_nuclei, nucleus_radii
from morula.synthetic.params import RenderParams

PLAIN = RenderParams(elongation=0.0, brightness_spread=0.0, radius_spread=0.0)


@pytest.fixture
def dividing() -> Tracks:
    """A cell that divides along y, one that dies early, and one that lives on.

    ::

        t   0   1   2   3   4   5   6
                      ┌ 4   6   8  10
            0   1   2 ┤
                      └ 5   7   9  11
           20  21
           30  31  32  33  34  35  36
    """
    rows = [(t, 0.0, 0.0, t, t - 1) for t in range(3)]
    for t in range(3, 7):
        for side in (0, 1):
            name = 4 + 2 * (t - 3) + side
            rows.append((t, 4.0 * side - 2.0, 0.0, name, 2 if t == 3 else name - 2))
    rows += [(t, 0.0, 20.0, 20 + t, 19 + t if t else -1) for t in range(2)]
    rows += [(t, 0.0, 40.0, 30 + t, 29 + t if t else -1) for t in range(7)]
    t, y, x, name, parent = (list(column) for column in zip(*rows, strict=True))
    zyx_um = np.stack([np.zeros(len(t)), y, x], axis=1)
    tracks = Tracks.from_ids([int(v) for v in t], zyx_um, name, parent)
    return Tracks(tracks.t, tracks.zyx_um, tracks.id, tracks.parent_row, nucleus_radii(tracks, 9.0, PLAIN, seed=0))


def at(tracks: Tracks, name: int) -> int:
    return int(np.flatnonzero(tracks.id == name)[0])


def test_a_resting_nucleus_keeps_its_size_for_life(dividing: Tracks) -> None:
    nuclei = describe_nuclei(dividing, PLAIN, seed=0)
    rows = [at(dividing, 30 + t) for t in range(7)]
    np.testing.assert_allclose(nuclei.semi_um[rows], 0.34 * 9.0)
    np.testing.assert_allclose(nuclei.brightness[rows], 1.0)


def test_before_division_the_nucleus_is_a_bright_plate_across_the_axis(dividing: Tracks) -> None:
    nuclei = describe_nuclei(dividing, PLAIN, seed=0)
    mother = at(dividing, 2)
    assert abs(nuclei.axes[mother, 0] @ [0, 1, 0]) == pytest.approx(1.0)
    along, across, also_across = nuclei.semi_um[mother]
    assert along < 0.6 * across
    assert across == also_across
    assert nuclei.brightness[mother] > nuclei.brightness[at(dividing, 1)] > nuclei.brightness[at(dividing, 0)]


def test_daughters_start_small_bright_and_flat_and_grow_up(dividing: Tracks) -> None:
    nuclei = describe_nuclei(dividing, PLAIN, seed=0)
    volume = nuclei.semi_um.prod(axis=1)
    line = [at(dividing, name) for name in (4, 6, 8, 10)]
    assert (np.diff(volume[line]) > 0).all()
    assert (np.diff(nuclei.brightness[line]) < 0).all()
    assert abs(nuclei.axes[line[0], 0] @ [0, 1, 0]) == pytest.approx(1.0)


def test_a_dying_nucleus_shrinks_and_one_in_the_last_frame_does_not(dividing: Tracks) -> None:
    nuclei = describe_nuclei(dividing, PLAIN, seed=0)
    assert nuclei.semi_um[at(dividing, 21)].max() < 0.7 * nuclei.semi_um[at(dividing, 20)].min()
    np.testing.assert_allclose(nuclei.semi_um[at(dividing, 36)], nuclei.semi_um[at(dividing, 35)])


def test_the_axes_of_every_nucleus_are_orthonormal(dividing: Tracks) -> None:
    axes = describe_nuclei(dividing, RenderParams(), seed=3).axes
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.tile(np.eye(3), (dividing.n, 1, 1)), atol=1e-12)


def test_a_cell_looks_the_same_in_all_its_frames_and_cells_differ(dividing: Tracks) -> None:
    nuclei = describe_nuclei(dividing, RenderParams(), seed=0)
    rows = [at(dividing, 30 + t) for t in range(7)]
    for looks in (nuclei.semi_um, nuclei.axes, nuclei.brightness):
        assert np.ptp(looks[rows], axis=0).max() < 1e-12
    assert nuclei.brightness[rows[0]] != nuclei.brightness[at(dividing, 20)]


def test_no_points_have_no_looks() -> None:
    nothing = Tracks.from_ids([], [], [], [])
    assert nucleus_radii(nothing, 9.0, PLAIN, seed=0).shape == (0,)
    assert describe_nuclei(nothing, PLAIN, seed=0).semi_um.shape == (0, 3)
