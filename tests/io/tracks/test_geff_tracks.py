"""Tracks as GEFF."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.errors import DiskError, MorulaError, TracksError, TracksFormatError
from morula.io.tracks.geff_tracks import read_geff_tracks, write_geff_tracks
from morula.io.tracks.geff_write import GeffTable, write_geff

#      7 (t 2)
#     / \
#   20   3 (t 3)      9 (t 3, alone)
#   |
#   5 (t 5, over two frames)
TRACKS = Tracks.from_ids(
    [2, 3, 3, 5, 3],
    [[1, 2, 3], [1, 2, 4], [1, 2, 2], [1, 2, 5], [9, 9, 9]],
    [7, 20, 3, 5, 9],
    [-1, 7, 7, 20, -1],
    radius_um=np.array([4.0, 3.0, 3.0, 4.0, 2.0]),
)


def same(one: Tracks, two: Tracks) -> bool:
    columns = ("t", "zyx_um", "id", "parent_id", "radius_um")
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in columns)


def table(**changes: object) -> GeffTable:
    n = 3
    props = {
        "t": np.arange(n),
        "z": np.full(n, 1.0),
        "y": np.full(n, 2.0),
        "x": np.arange(n) * 1.0 + 3,
    }
    content: dict[str, object] = {
        "node_id": np.array([10, 30, 20]),
        "node_props": props,
        "edge_ids": np.array([[10, 30], [30, 20]]),
    }
    return GeffTable(**{**content, **changes})  # type: ignore[arg-type]


def edit(path: Path, change: Callable[[dict[str, object]], None], place: str = "zarr.json") -> None:
    content = json.loads((path / place).read_text())
    change(content)
    (path / place).write_text(json.dumps(content))


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    write_geff_tracks(TRACKS, tmp_path / "t.geff")
    assert same(read_geff_tracks(tmp_path / "t.geff"), TRACKS)


def test_what_is_written_is_valid_for_geff_and_carries_axes_units_and_track_ids(tmp_path: Path) -> None:
    from geff.core_io import read_to_memory
    from geff.validate.data import ValidationConfig

    write_geff_tracks(TRACKS, tmp_path / "t.geff", columns={"score": np.linspace(0, 1, 5)})
    memory = read_to_memory(
        tmp_path / "t.geff",
        data_validation=ValidationConfig(graph=True, sphere=True, lineage=True, tracklet=True),
    )
    metadata = memory["metadata"]
    assert [(axis.name, axis.type, axis.unit) for axis in metadata.axes or []] == [
        ("t", "time", "frame"),
        ("z", "space", "micrometer"),
        ("y", "space", "micrometer"),
        ("x", "space", "micrometer"),
    ]
    assert metadata.track_node_props == {"lineage": "lineage_id", "tracklet": "tracklet_id"}
    assert metadata.sphere == "radius"
    assert memory["node_props"]["score"]["values"].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert memory["node_ids"].tolist() == [7, 3, 9, 20, 5]
    assert sorted(memory["edge_ids"].tolist()) == [[7, 3], [7, 20], [20, 5]]


def test_the_same_tracks_give_the_same_bytes_whatever_the_order_of_rows(tmp_path: Path) -> None:
    # rows of each frame turned round
    order = np.array([0, 3, 2, 1, 4])
    place = np.argsort(order)
    shuffled = Tracks(
        t=TRACKS.t[order],
        zyx_um=TRACKS.zyx_um[order],
        id=TRACKS.id[order],
        parent_row=np.where(TRACKS.parent_row[order] >= 0, place[TRACKS.parent_row[order]], -1),
        radius_um=None if TRACKS.radius_um is None else TRACKS.radius_um[order],
    )
    write_geff_tracks(TRACKS, tmp_path / "a.geff", columns={"score": np.arange(5) / 7})
    write_geff_tracks(shuffled, tmp_path / "b.geff", columns={"score": (np.arange(5) / 7)[order]})
    one, two = (
        {str(f.relative_to(tmp_path / name)): f.read_bytes() for f in (tmp_path / name).rglob("*") if f.is_file()}
        for name in ("a.geff", "b.geff")
    )
    ids = {name for name in one if "tracklet_id" in name or "lineage_id" in name}
    assert {k: v for k, v in one.items() if k not in ids} == {k: v for k, v in two.items() if k not in ids}


def test_no_points_at_all_can_be_written_and_read(tmp_path: Path) -> None:
    empty = TRACKS.rows(np.zeros(5, np.bool_))
    write_geff_tracks(empty, tmp_path / "t.geff")
    assert read_geff_tracks(tmp_path / "t.geff").n == 0


def test_edges_stored_backwards_are_ordered_by_frame(tmp_path: Path) -> None:
    write_geff(table(edge_ids=np.array([[30, 10], [20, 30]])), tmp_path / "t.geff", overwrite=False)
    assert read_geff_tracks(tmp_path / "t.geff").parent_id.tolist() == [-1, 10, 30]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_files_of_other_programs_with_other_axis_names_and_scales_are_read(tmp_path: Path, zarr_format: int) -> None:
    from geff.core_io import write_arrays
    from geff_spec import Axis, GeffMetadata

    props = {"time": np.arange(2), "pz": np.array([1, 2]), "py": np.array([3.0, 4]), "px": np.array([5.0, 6])}
    space = [
        Axis(name=name, type="space", unit="pixel", scale=scale, scaled_unit="nanometer")
        for name, scale in (("pz", 2000.0), ("py", 500.0), ("px", 500.0))
    ]
    write_arrays(
        tmp_path / "t.geff",
        np.array([1, 2], np.uint32),
        {name: {"values": values, "missing": None} for name, values in props.items()},
        np.array([[1, 2]], np.uint32),
        {},
        GeffMetadata(
            directed=True,
            axes=[Axis(name="time", type="time"), *space],
            node_props_metadata={},
            edge_props_metadata={},
        ),
        zarr_format=zarr_format,  # type: ignore[arg-type]
    )
    tracks = read_geff_tracks(tmp_path / "t.geff")
    assert tracks.zyx_um.tolist() == [[2, 1.5, 2.5], [4, 2, 3]]
    assert tracks.parent_id.tolist() == [-1, 1]
    assert read_geff_tracks(tmp_path / "t.geff", unit_um=2.0).zyx_um[0].tolist() == [2, 6, 10]


def test_axes_without_units_are_taken_in_um_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_geff(table(), tmp_path / "t.geff", overwrite=False)

    def drop_units(content: dict[str, object]) -> None:
        for axis in content["attributes"]["geff"]["axes"]:  # type: ignore[index]
            axis["unit"] = None

    edit(tmp_path / "t.geff", drop_units)
    with caplog.at_level(logging.WARNING):
        assert read_geff_tracks(tmp_path / "t.geff").zyx_um[0].tolist() == [1, 2, 3]
    assert caplog.text.count("states no unit of length") == 1


@pytest.mark.parametrize("scale", [0, -1.0, "wide", float("nan"), 10**400])
def test_a_scale_that_is_no_size_is_refused(tmp_path: Path, scale: object) -> None:
    write_geff(table(), tmp_path / "t.geff", overwrite=False)
    edit(tmp_path / "t.geff", lambda content: content["attributes"]["geff"]["axes"][2].update(scale=scale))  # type: ignore[index]
    with pytest.raises(TracksFormatError, match=r"the axis y has the scale .*, expected a positive number"):
        read_geff_tracks(tmp_path / "t.geff")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"edge_ids": np.array([[10, 20], [30, 20]])}, r"edge 1 \[30, 20\]: .* a second parent \(the first by edge 0"),
        ({"edge_ids": np.array([[10, 99]])}, r"edge 0: one of its nodes \[10, 99\] is not in the graph"),
        ({"node_id": np.array([10, 30, 30]), "edge_ids": np.array([[10, 30]])}, r"node 30: the id 30 is already used"),
        ({"node_id": np.array([10, 30, -1]), "edge_ids": np.array([[10, 30]])}, r"node -1: the id is -1"),
    ],
)
def test_graphs_that_are_no_lineages_are_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write_geff(table(**changes), tmp_path / "t.geff", overwrite=False)
    with pytest.raises(TracksError, match=said):
        read_geff_tracks(tmp_path / "t.geff")


def test_frames_must_be_whole(tmp_path: Path) -> None:
    content = table()
    props = {**content.node_props, "t": np.array([0, 0.5, 1])}
    write_geff(table(node_props=props), tmp_path / "t.geff", overwrite=False)
    with pytest.raises(TracksError, match=r"node 30: t is 0\.5, a frame is a whole number"):
        read_geff_tracks(tmp_path / "t.geff")


def test_a_zarr_folder_that_is_no_geff_is_refused(tmp_path: Path) -> None:
    import zarr

    zarr.create_group(tmp_path / "movie.zarr", attributes={"ome": {}})
    with pytest.raises(TracksFormatError, match=r"without GEFF metadata(.|\n)*attributes: ome"):
        read_geff_tracks(tmp_path / "movie.zarr")


def test_a_graph_in_two_dimensions_is_refused(tmp_path: Path) -> None:
    write_geff(table(), tmp_path / "t.geff", overwrite=False)
    edit(tmp_path / "t.geff", lambda content: content["attributes"]["geff"]["axes"].pop(1))  # type: ignore[index]
    with pytest.raises(TracksFormatError, match=r"expected the axes t, z, y, x(.|\n)*axes: t, y, x"):
        read_geff_tracks(tmp_path / "t.geff")


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (
            "nodes/ids/zarr.json",
            {"shape": [2**40]},
            r"nodes/ids announces 8796093022208 bytes, but only \d+",
        ),
        ("edges/ids/zarr.json", {"shape": [2**40, 2]}, "edges/ids announces 17592186044416 bytes"),
        ("nodes/props/x/values/zarr.json", {"shape": [2**40]}, r"nodes/props/x is float64 of shape \(1099511627776,\)"),
        ("nodes/props/x/values/zarr.json", {"data_type": "bool", "fill_value": False}, "nodes/props/x is bool"),
        ("nodes/props/x/values/zarr.json", {"codecs": []}, "nodes/props/x/values cannot be read"),
        ("nodes/ids/zarr.json", {"data_type": "float64"}, "nodes/ids is float64"),
    ],
)
def test_announced_sizes_are_held_against_what_is_stored(
    tmp_path: Path, place: str, change: dict[str, object], said: str
) -> None:
    write_geff(table(), tmp_path / "t.geff", overwrite=False)
    edit(tmp_path / "t.geff", lambda content: content.update(change), place)
    with pytest.raises(TracksFormatError, match=said):
        read_geff_tracks(tmp_path / "t.geff")


def test_an_array_cut_into_absurdly_many_pieces_is_refused(tmp_path: Path) -> None:
    n = 150_000
    ids = np.arange(n)
    props = {name: np.ones(n) for name in "zyx"} | {"t": ids}
    write_geff(GeffTable(ids, props, np.zeros((0, 2), np.int64)), tmp_path / "t.geff", overwrite=False)
    grid = {"name": "regular", "configuration": {"chunk_shape": [1]}}
    edit(tmp_path / "t.geff", lambda content: content.update(chunk_grid=grid), "nodes/props/x/values/zarr.json")
    with pytest.raises(TracksFormatError, match="is cut into 150000 pieces"):
        read_geff_tracks(tmp_path / "t.geff")


def test_values_packed_with_pickle_are_not_unpacked(tmp_path: Path) -> None:
    import numcodecs
    import zarr

    write_geff(table(), tmp_path / "t.geff", overwrite=False)
    place = tmp_path / "t.geff/nodes/props/x/values"
    for item in (*place.rglob("c/*"), place / "zarr.json"):
        item.unlink()
    zarr.create_array(place, shape=(3,), dtype="f8", zarr_format=2, compressors=numcodecs.Zlib())
    edit(place, lambda content: content.update(compressor={"id": "pickle"}), ".zarray")
    (place / "0").write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    with pytest.raises(TracksFormatError, match=r"nodes/props/x.*(pickle|cannot be read|not there)"):
        read_geff_tracks(tmp_path / "t.geff")


def test_values_marked_as_missing_are_refused(tmp_path: Path) -> None:
    import zarr

    write_geff(table(), tmp_path / "t.geff", overwrite=False)
    missing = zarr.create_array(tmp_path / "t.geff/nodes/props/x/missing", shape=(3,), dtype="bool")
    missing[:] = [False, True, False]
    with pytest.raises(TracksFormatError, match="nodes/props/x is marked as missing for 1 of 3 entries"):
        read_geff_tracks(tmp_path / "t.geff")


def test_a_folder_is_not_overwritten_unless_asked_and_only_if_it_is_zarr(tmp_path: Path) -> None:
    write_geff_tracks(TRACKS, tmp_path / "t.geff")
    with pytest.raises(DiskError, match="exists already"):
        write_geff_tracks(TRACKS, tmp_path / "t.geff")
    write_geff_tracks(TRACKS.rows(TRACKS.t < 3), tmp_path / "t.geff", overwrite=True)
    assert read_geff_tracks(tmp_path / "t.geff").n == 1
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.png").touch()
    with pytest.raises(DiskError, match="is something else than what would replace it"):
        write_geff_tracks(TRACKS, tmp_path / "photos", overwrite=True)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["photos", "t.geff"]


def test_a_further_column_may_not_take_the_name_of_a_property(tmp_path: Path) -> None:
    with pytest.raises(TracksError, match="'lineage_id': morula writes a property of this name"):
        write_geff_tracks(TRACKS, tmp_path / "t.geff", columns={"lineage_id": np.zeros(5)})


def outcome(path: Path) -> Tracks | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read_geff_tracks(path)
    except MorulaError as error:
        return str(error)


def test_damaged_files_are_refused_or_read_right(
    tmp_path: Path, mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    path = tmp_path / "t.geff"
    write_geff_tracks(TRACKS, path)
    unread = ("tracklet_id", "lineage_id")
    files = sorted(item for item in path.rglob("*") if item.is_file() and not any(u in str(item) for u in unread))
    for seed in mutation_seeds:
        damaged = files[seed % len(files)]
        original = damaged.read_bytes()
        damaged.write_bytes(mutate(original, seed))
        result = outcome(path)
        damaged.write_bytes(original)
        assert isinstance(result, Tracks) or str(path) in result
