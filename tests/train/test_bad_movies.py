"""Movies and annotations nobody would wish for: measured, learned from with what was measured, and looked through.

Each training is real, if short; together they take minutes, hence marked long. Recall is that of held-out nuclei in
frames that show something.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import AnnotationError, ChunkError, MovieError
from morula.measure.check import check_annotations
from morula.measure.movie import measure_movie
from morula.measure.settings import derive_settings
from morula.train.loop import train_network
from morula.train.params import TrainParams

pytestmark = pytest.mark.long

Change = Callable[[np.ndarray], np.ndarray]
SHAPE, VOXEL = (8, 12, 48, 48), (2.0, 1.0, 1.0)


def train_as_drafted(movie: Movie, annotations: Tracks, held_out: Tracks, *, crop_outputs=(8, 16, 16), iterations=120):
    """Check, measure, derive and train as `morula init` and `morula run` do; returns the history and the spacing."""
    check_annotations(movie, annotations)
    measured = measure_movie(movie, annotations)
    derived = derive_settings(measured, movie.voxel_size_um)
    params = TrainParams(
        target_sigma_um=derived.target_sigma_um, mask_radius_um=derived.mask_radius_um,
        movement_radius_um=0.6 * derived.mask_radius_um, blob_sigma_um=derived.blob_sigma_um,
        iterations=iterations, batch_size=2, crop_outputs=crop_outputs, validations=1, average_decay=0.97,
    )  # fmt: skip
    return train_network(movie, annotations, held_out, params)[1], measured.spacing_um


@pytest.fixture(scope="module")
def nuclei(make_drift) -> tuple[np.ndarray, Tracks, Tracks]:
    """Pixels from 100 to about 1100 of nuclei that drift; two in three tracks to learn from, the others held out."""
    movie, tracks = make_drift(shape=SHAPE, voxel_um=VOXEL, sigma_um=1.8, drift_um=(0.0, 1.0, 0.5))
    learned = tracks.lineage_id() % 3 > 0
    return np.asarray(movie.tzyx), tracks.rows(learned), tracks.rows(~learned)


def _frame(t: int, value: float) -> Change:
    def change(pixels: np.ndarray) -> np.ndarray:
        changed = pixels.copy()
        changed[t] = value
        return changed

    return change


def _as(dtype: str, offset: float, contrast: float) -> Change:
    """Pixels of another type: the background at `offset`, nuclei `contrast` above, clipped where the type ends."""

    def change(pixels: np.ndarray) -> np.ndarray:
        values = offset + (pixels - 100) / 1000 * contrast
        if np.dtype(dtype).kind == "f":
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda pixels: pixels, id="nothing"),
        pytest.param(_frame(3, 0), id="a blank frame"),
        pytest.param(_as("uint8", 20, 200), id="8 bits"),
        pytest.param(_as("uint8", 2, 20), id="8 bits, twenty of them used"),
        pytest.param(_as("float32", 0, 1), id="float from 0 to 1"),
        pytest.param(_as("float32", -3e-6, 1e-6), id="tiny negative float"),
        pytest.param(_as("float64", 1e5, 1e9), id="large double"),
        pytest.param(_as("int16", -20_000, 300), id="negative int16"),
        pytest.param(_as("uint16", 30_000, 200), id="offset 30000, contrast 200"),
        pytest.param(_as("uint16", 65_100, 600), id="clipped at the end of uint16"),
    ],
)
def test_training_finds_nuclei_whatever_the_pixels_are(nuclei, change) -> None:
    pixels, annotations, held_out = nuclei
    changed = change(pixels)
    shown = np.array([frame.min() < frame.max() for frame in changed])
    history, _ = train_as_drafted(Movie(changed, VOXEL), annotations, held_out.rows(shown[held_out.t]))
    assert history.val_recall[-1] >= 0.8


def test_a_saturated_frame_spoils_its_neighbours_at_most(nuclei) -> None:
    pixels, annotations, held_out = nuclei
    apart = held_out.rows(np.isin(held_out.t, [0, 1, 5, 6, 7]))
    history, _ = train_as_drafted(Movie(_frame(3, 65535)(pixels), VOXEL), annotations, apart)
    assert history.val_recall[-1] >= 0.7


@pytest.mark.parametrize(("voxel", "iterations", "recall"), [((5.0, 0.5, 0.5), 300, 0.6), ((1.2, 1.2, 1.2), 120, 0.8)])
def test_voxels_of_any_shape_give_the_spacing_of_the_nuclei_and_are_learned_from(
    make_drift, voxel, iterations, recall
) -> None:
    """Ten times as deep as wide: a nucleus seen in two planes is one nucleus; it takes longer to learn."""
    shape = (6, *(int(np.ceil(size / step)) + 1 for size, step in zip((30, 34, 34), voxel, strict=True)))
    movie, tracks = make_drift(shape=shape, voxel_um=voxel, sigma_um=2.2, drift_um=(0.0, 1.0, 0.0))
    learned = tracks.lineage_id() % 3 > 0
    history, spacing = train_as_drafted(
        movie, tracks.rows(learned), tracks.rows(~learned), crop_outputs=(6, 24, 24), iterations=iterations
    )
    assert 7.5 < spacing < 11
    assert history.val_recall[-1] >= recall


def test_a_frame_that_cannot_be_read_is_left_out(nuclei, caplog) -> None:
    pixels, annotations, held_out = nuclei

    class Torn:
        shape, dtype = pixels.shape, pixels.dtype

        def __getitem__(self, box):
            if 4 in range(*box[0].indices(len(pixels))):
                raise ChunkError("frame 4 is damaged.")
            return pixels[box]

    history, _ = train_as_drafted(Movie(Torn(), VOXEL), annotations, held_out)
    assert history.val_recall[-1] >= 0.85
    assert "left out of training: frame 4 is damaged." in caplog.text


def test_a_single_track_is_enough_where_blobs_are_clear(make_drift) -> None:
    movie, tracks = make_drift(shape=(12, *SHAPE[1:]), voxel_um=VOXEL, sigma_um=1.8, drift_um=(0.0, 1.0, 0.5))
    lineage = tracks.lineage_id()
    single = lineage == np.bincount(lineage).argmax()
    assert single.sum() == 12
    history, _ = train_as_drafted(movie, tracks.rows(single), tracks.rows(~single))
    assert history.val_recall[-1] >= 0.8
    short = single & (tracks.t < 9)
    with pytest.raises(AnnotationError, match="9 points and 8 links are fewer than can be learned from"):
        train_as_drafted(movie, tracks.rows(short), tracks.rows(~single))


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_clicks_on_background_are_survived_or_refused(nuclei, share) -> None:
    """A quarter of the tracks beside all nuclei: learned from nevertheless. All of them: refused."""
    pixels, annotations, held_out = nuclei
    rng, lineage = np.random.default_rng(0), annotations.lineage_id()
    wrong = (rng.permutation(lineage.max() + 1) < share * (lineage.max() + 1))[lineage]
    dark = np.argwhere(pixels.max(axis=0) < 180) * VOXEL
    places = np.where(
        wrong[:, None], dark[rng.integers(len(dark), size=lineage.max() + 1)][lineage], annotations.zyx_um
    )
    points = Tracks(annotations.t, places, annotations.id, annotations.parent_row)
    if share < 1:
        assert train_as_drafted(Movie(pixels, VOXEL), points, held_out)[0].val_recall[-1] >= 0.8
    else:
        with pytest.raises(AnnotationError, match="do not lie on bright blobs"):
            train_as_drafted(Movie(pixels, VOXEL), points, held_out)


def test_a_movie_that_shows_nothing_is_refused(nuclei) -> None:
    pixels, annotations, held_out = nuclei
    with pytest.raises((MovieError, AnnotationError), match=r"no contrast|holds an image"):
        train_as_drafted(Movie(np.full_like(pixels, 65535), VOXEL, name="full"), annotations, held_out)
