from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from morula.core.movie import Movie
from morula.core.tracks import Tracks
from morula.errors import ChunkError, MovieError
from morula.network.intensity import IntensityRange
from morula.network.spec import choose_network
from morula.train import sampling
from morula.train.labels import LabelKind, annotation_labels, join_labels
from morula.train.params import TrainParams
from morula.train.sampling import CropSampler, FrameReader
from morula.train.warping import Geometry

SHAPE = (3, 24, 40, 40)
PLAIN = TrainParams(noise=0.0, intensity_change=0.0, batch_size=2, crop_outputs=(4, 8, 8))
UNIT = IntensityRange(0.0, 1.0)


def _spec(voxel):
    return choose_network(np.array(voxel), np.full(3, 3.0))


def _reader(tzyx, voxel=(1.0, 1.0, 1.0)) -> FrameReader:
    return FrameReader(Movie(tzyx, voxel, name="embryo"), UNIT)


def _still_tracks(frames: int, points: list[list[float]]) -> Tracks:
    """The same points in every frame, each the child of itself."""
    n = len(points)
    ids = np.arange(frames * n).reshape(frames, n)
    parents = np.vstack([np.full((1, n), -1), ids[:-1]])
    return Tracks.from_ids(np.repeat(np.arange(frames), n), points * frames, ids.ravel(), parents.ravel())


@pytest.mark.parametrize("place", [(-30, -50, 100), (-5, 3, 35), (2, 3, 4), (40, 40, 40)])
def test_large_movies_read_in_boxes_give_the_same_as_small_ones_kept_in_memory(monkeypatch, place) -> None:
    tzyx = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    kept = _reader(tzyx)
    monkeypatch.setattr(sampling, "_CACHE_BYTES", 0)
    boxed = _reader(tzyx)
    start = np.array(place)
    for t in (-1, 0, 2, 7):
        one, other = (reader.read(t, start, start + np.array([5, 6, 7])) for reader in (kept, boxed))
        assert one.shape == (5, 6, 7)
        assert np.array_equal(one, other)


def test_only_so_many_frames_are_kept_as_fit_the_memory(monkeypatch) -> None:
    reads = []

    class Counted:
        shape, dtype = (9, 4, 8, 8), np.dtype(np.float32)

        def __getitem__(self, box):
            reads.append(box[0].start)
            return np.zeros((1, 4, 8, 8), np.float32)

    monkeypatch.setattr(sampling, "_CACHE_BYTES", 4 * 4 * 8 * 8 * 4)
    reader = _reader(Counted())
    for t in (0, 1, 2, 3, 0, 4, 0, 1):  # room for four: frame 1 makes way for 4, and is read again
        reader.read(t, np.zeros(3, int), np.ones(3, int))
    assert reads == [0, 1, 2, 3, 4, 1]


@pytest.fixture
def scene() -> tuple[FrameReader, Tracks]:
    tzyx = np.random.default_rng(0).random((4, 10, 30, 30)).astype(np.float32)
    return _reader(tzyx), _still_tracks(4, [[3.0, 8.0, 9.0], [6.0, 20.0, 17.0]])


def _same(one, other) -> bool:
    names = ("indicator", "near", "background", "movement_um", "moving")
    return torch.equal(one[0], other[0]) and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one[1], other[1], strict=True)
        for name in names
    )


def test_a_batch_is_a_function_of_seed_and_step_alone(scene) -> None:
    reader, tracks = scene
    spec, labels = _spec((1.0, 1, 1)), annotation_labels(tracks)
    first = CropSampler(reader, labels, spec, TrainParams(crop_outputs=(4, 8, 8)))
    batches = [first.draw_batch(i) for i in range(4)]
    again = CropSampler(_reader(reader.movie.tzyx), labels, spec, TrainParams(crop_outputs=(4, 8, 8)))
    assert all(_same(again.draw_batch(i), batches[i]) for i in (3, 1, 0, 2))
    other = CropSampler(reader, labels, spec, TrainParams(crop_outputs=(4, 8, 8), seed=1))
    assert not _same(other.draw_batch(0), batches[0])
    assert not _same(batches[0], batches[1])


@pytest.mark.parametrize("ranks", [2, 3])
def test_several_processes_together_draw_the_batch_that_one_draws(scene, ranks) -> None:
    reader, tracks = scene
    params = TrainParams(crop_outputs=(4, 8, 8), batch_size=5)
    sampler = CropSampler(reader, annotation_labels(tracks), _spec((1.0, 1, 1)), params)
    whole = sampler.draw_batch(3)
    for rank in range(ranks):
        crops, targets = sampler.draw_batch(3, rank=rank, ranks=ranks)
        assert _same((crops, targets), (whole[0][rank::ranks], whole[1][rank::ranks]))
    assert not _same((whole[0][:1], whole[1][:1]), (whole[0][1:2], whole[1][1:2]))


def test_a_batch_holds_crops_of_the_size_the_network_needs_and_their_targets(scene) -> None:
    reader, tracks = scene
    spec = _spec((1.0, 1, 1))
    crops, targets = CropSampler(reader, annotation_labels(tracks), spec, PLAIN).draw_batch(0)
    assert crops.dtype == torch.float32
    assert crops.shape[:2] == (2, 3)
    assert all(n % s == 0 for n, s in zip(crops.shape[2:], spec.total_stride, strict=True))
    outputs, vectors = (
        tuple(n // s for n, s in zip(crops.shape[2:], stride, strict=True))
        for stride in (spec.output_stride, spec.vector_stride)
    )
    assert [target.indicator.shape for target in targets] == [outputs] * 2
    assert [target.movement_um.shape for target in targets] == [(3, *vectors)] * 2


def test_every_crop_shows_an_annotated_nucleus(scene) -> None:
    reader, tracks = scene
    params = replace(PLAIN, warp_share=0.0, random_share=0.0, crop_outputs=(6, 12, 12))
    sampler = CropSampler(reader, annotation_labels(tracks), _spec((1.0, 1, 1)), params)
    assert all(target.near.any() for i in range(20) for target in sampler.draw_batch(i)[1])


@pytest.mark.parametrize("warp_share", [0.0, 1.0])
def test_targets_say_what_the_crops_show(warp_share) -> None:
    """One blob jumps from frame to frame: where frame t is bright the indicator is, and vectors lead to it in t−1."""
    rng, frames = np.random.default_rng(3), 6
    where = np.array([12.0, 20.0, 20.0]) + rng.uniform(-2, 2, (frames, 3))
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE[1:]), indexing="ij"), axis=-1)
    squared = ((grid - where[:, None, None, None]) ** 2).sum(axis=-1)
    ids = np.arange(frames)
    labels = annotation_labels(Tracks.from_ids(ids, where, ids, ids - 1))
    reader = _reader(np.exp(-squared / (2 * 1.5**2)).astype(np.float32))
    params = replace(
        PLAIN, warp_share=warp_share, frame_shift_um=1.5, crop_outputs=(12, 12, 12), random_share=0.0, batch_size=8
    )
    sampler = CropSampler(reader, labels, _spec((1.0, 1, 1)), params)
    checked = 0
    for crop, target in zip(*sampler.draw_batch(0), strict=True):
        before, here = (_centre_of_light(crop[i].numpy(), sampler.geometry) for i in (0, 1))
        if target.indicator.max() > 0.5 and crop[0].max() > 0.9:
            brightest = np.unravel_index(target.indicator.argmax(), target.indicator.shape)
            assert (np.abs(sampler.geometry.outputs.points_um()[brightest] - here) < 1.1).all()  # 1 µm apart
        if target.moving.any() and crop[0].max() > 0.9:
            tips = sampler.geometry.vectors.points_um() + np.moveaxis(target.movement_um, 0, -1)
            assert np.abs(tips[target.moving] - before).max() < 0.6
            checked += 1
    assert checked >= 3


def _centre_of_light(crop: np.ndarray, geometry: Geometry) -> np.ndarray:
    weight = np.where(crop > 0.5, crop, 0.0) ** 2
    return (geometry.inputs.points_um() * weight[..., None]).reshape(-1, 3).sum(axis=0) / max(weight.sum(), 1e-9)


def _drawn_frames(labels, params, frames: int = 6) -> list[int]:
    """Frames of the crops drawn: the brightness of a frame is its number."""
    tzyx = np.broadcast_to((np.arange(frames) / 10 + 0.1).reshape(-1, 1, 1, 1), (frames, 8, 16, 16)).astype(np.float32)
    tzyx[..., ::2] = 0  # or there would be nothing to see
    sampler = CropSampler(_reader(tzyx), labels, _spec((1.0, 1, 1)), params)
    crops = torch.cat([sampler.draw_batch(i)[0] for i in range(40)])
    return [round(float(crop[1].max()) ** 2 * 10) - 1 for crop in crops]


def test_divisions_are_drawn_more_often_as_asked() -> None:
    """A mother divides in frame 2 after three frames; another cell lives through all frames."""
    t, ids, parents = [0, 1, 2, 3, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7], [-1, 1, 2, 3, 3, 4, 6]
    labels = annotation_labels(Tracks.from_ids(t, [[4.0, 8.0, 8.0 + i] for i in range(7)], ids, parents))
    always = _drawn_frames(labels, replace(PLAIN, division_share=1.0))
    assert set(always) == {2, 3}
    half = _drawn_frames(labels, replace(PLAIN, division_share=0.5))
    assert 0.55 < np.isin(half, [2, 3]).mean() < 0.85  # half of them, and 3 of 7 of the rest
    never = _drawn_frames(labels, replace(PLAIN, division_share=0.0))
    assert set(never) == {0, 1, 2, 3, 4, 5}


def test_some_crops_are_centred_on_clear_blobs_where_the_background_is_taught() -> None:
    point = [[4.0, 8.0, 8.0]]
    annotated = annotation_labels(Tracks.from_ids([0], point, [1], [-1]))
    kinds = {1: LabelKind.CLEAR_BLOB, 2: LabelKind.WEAK_BLOB, 3: LabelKind.LINEAGE}
    blobs = [annotation_labels(Tracks.from_ids([t], point, [1], [-1])).with_kind(kind) for t, kind in kinds.items()]
    labels = join_labels([annotated, *blobs])
    assert set(_drawn_frames(labels, replace(PLAIN, random_share=1.0))) == {0, 1, 3}
    assert set(_drawn_frames(labels, replace(PLAIN, random_share=1.0, background="paper"))) == {0}
    assert set(_drawn_frames(labels, replace(PLAIN, random_share=0.0))) == {0}


def test_crowded_places_are_drawn_less_often_if_asked() -> None:
    """Frame 1 holds one annotation, frame 2 six in a crowd, frame 3 six far apart."""
    close = [[4.0, 8.0, 8.0 + i] for i in range(6)]
    apart = [[4.0, 8.0, 30.0 * i] for i in range(6)]
    labels = annotation_labels(
        Tracks.from_ids([1] + [2] * 6 + [3] * 6, [[4.0, 8, 8], *close, *apart], list(range(13)), [-1] * 13)
    )
    params = replace(PLAIN, division_share=0.0, random_share=0.0)
    plain = np.bincount(_drawn_frames(labels, params), minlength=4) / 80
    balanced = np.bincount(_drawn_frames(labels, replace(params, density_balance=1.0)), minlength=4) / 80
    assert plain[1:] == pytest.approx([1 / 13, 6 / 13, 6 / 13], abs=0.15)
    assert balanced[1:] == pytest.approx([1 / 8, 1 / 8, 6 / 8], abs=0.15)


class Torn:
    """A movie of which some frames cannot be read."""

    def __init__(self, array, frames: set[int]) -> None:
        self.array, self.frames, self.shape, self.dtype = array, frames, array.shape, array.dtype

    def __getitem__(self, box):
        if self.frames & set(range(box[0].start, box[0].stop)):
            raise ChunkError(f"frame {box[0].start} is damaged.")
        return self.array[box]


def test_crops_that_cannot_be_read_are_drawn_elsewhere_with_one_warning(scene, caplog) -> None:
    reader, tracks = scene
    torn = FrameReader(Movie(Torn(reader.movie.tzyx, {3}), np.ones(3)), UNIT)
    sampler = CropSampler(torn, annotation_labels(tracks), _spec((1.0, 1, 1)), PLAIN)
    for i in range(10):
        assert torch.isfinite(sampler.draw_batch(i)[0]).all()
    assert [r.getMessage() for r in caplog.records] == ["left out of training: frame 3 is damaged."]


def test_a_movie_that_cannot_be_read_at_all_is_an_error(scene) -> None:
    reader, tracks = scene
    torn = FrameReader(Movie(Torn(reader.movie.tzyx, {0, 1, 2, 3}), np.ones(3)), UNIT)
    with pytest.raises(ChunkError, match="is damaged"):
        CropSampler(torn, annotation_labels(tracks), _spec((1.0, 1, 1)), PLAIN).draw_batch(0)


def test_voxels_that_are_not_finite_are_an_error_with_their_frame(scene) -> None:
    reader, tracks = scene
    tzyx = reader.movie.tzyx.copy()
    tzyx[2, 1, 2, 3] = np.nan
    in_frame_2 = annotation_labels(tracks.rows(tracks.t == 2))
    with pytest.raises(MovieError, match="embryo: frame 2 holds 1 voxels that are not finite"):
        CropSampler(_reader(tzyx), in_frame_2, _spec((1.0, 1, 1)), PLAIN).draw_batch(0)


def test_the_share_of_events_among_drawn_points_grows_with_the_share_of_divisions_drawn() -> None:
    """A mother divides in frame 2; of one daughter nobody knows what becomes of her."""
    t, ids, parents = [0, 1, 2, 3, 3, 4, 5], [1, 2, 3, 4, 5, 6, 7], [-1, 1, 2, 3, 3, 4, 6]
    labels = annotation_labels(Tracks.from_ids(t, [[4.0, 8.0, 8.0 + i] for i in range(7)], ids, parents))
    reader = _reader(np.zeros((6, 8, 16, 16), np.float32))
    shares = [
        CropSampler(reader, labels, _spec((1.0, 1, 1)), replace(PLAIN, division_share=share)).measure_event_shares()
        for share in (0.0, 0.5, 1.0)
    ]
    assert (shares[0] < shares[1]).all()
    assert (shares[1] < shares[2]).all()
    assert shares[0] == pytest.approx([1 / 6, 1 / 2], abs=0.05)  # crops around all seven, which show a whole frame
    assert shares[2] == pytest.approx([1 / 3, 4 / 5], abs=0.05)  # around the mother or one of her daughters
    nobody = labels.with_kind(LabelKind.ANNOTATION)
    nobody = replace(nobody, divides=nobody.divides * 0 - 1)
    unknown = CropSampler(reader, nobody, _spec((1.0, 1, 1)), PLAIN).measure_event_shares()
    assert np.isnan(unknown[0])
    assert not np.isnan(unknown[1])


def test_crops_that_show_a_single_value_are_drawn_elsewhere_with_one_warning(scene, caplog) -> None:
    reader, tracks = scene
    tzyx = reader.movie.tzyx.copy()
    tzyx[2] = 1.0
    labels = annotation_labels(tracks)
    sampler = CropSampler(_reader(tzyx), labels, _spec((1.0, 1, 1)), replace(PLAIN, random_share=0.0))
    assert all(float(crop[1].max() - crop[1].min()) > 0 for i in range(10) for crop in sampler.draw_batch(i)[0])
    assert [r.getMessage() for r in caplog.records] == [
        "left out of training: embryo: frame 2 is constant around an annotation."
    ]
    with pytest.raises(
        MovieError, match=r"frame \d is constant around an annotation\.(.*\n)+.*annotate frames that show"
    ):
        CropSampler(_reader(tzyx * 0), labels, _spec((1.0, 1, 1)), PLAIN).draw_batch(0)


def test_radii_of_annotations_count_if_asked(scene) -> None:
    """Two nuclei, of which one is said to be twice as large."""
    reader, tracks = scene
    radius = np.where(tracks.zyx_um[:, 0] > 4, 2.0, 1.0)
    labels = annotation_labels(replace(tracks, radius_um=radius))
    params = replace(PLAIN, crop_outputs=(6, 15, 15), warp_share=0.0, mask_radius_um=2.0)
    counted = {}
    for follow in (False, True):
        sampler = CropSampler(reader, labels, _spec((1.0, 1, 1)), replace(params, follow_radius=follow))
        counted[follow] = [target.near.sum() for i in range(5) for target in sampler.draw_batch(i)[1]]
    assert counted[True] != counted[False]
    plain = CropSampler(reader, annotation_labels(tracks), _spec((1.0, 1, 1)), replace(params, follow_radius=True))
    assert [target.near.sum() for i in range(5) for target in plain.draw_batch(i)[1]] == counted[False]
