"""Reading tracks of any format, and every real file at hand."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.core.tracks import Tracks
from morula.errors import TracksError, TracksFormatError, TracksNotFoundError
from morula.io.tracks.files import TracksWriteFormat, read_tracks, write_tracks

CSV = "t,z,y,x,id,parent_id\n0,1,2,3,1,-1\n1,1,2,3,2,1\n"


def make_forest(seed: int, n: int) -> Tracks:
    """Draw a random forest: links over one to three frames, at most two children, shuffled ids."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 12, n)).astype(np.int32)
    parent, n_children = np.full(n, -1), np.zeros(n, int)
    for row in range(n):
        earlier = np.flatnonzero((t[:row] < t[row]) & (t[:row] >= t[row] - 3) & (n_children[:row] < 2))
        if len(earlier) and rng.random() < 0.8:
            parent[row] = rng.choice(earlier)
            n_children[parent[row]] += 1
    radius = rng.uniform(1, 9, n) if seed % 2 else None
    ids = rng.choice(10_000, n, replace=False)
    parent_id = np.where(parent >= 0, ids[parent], -1) if n else parent
    return Tracks.from_ids(t, rng.uniform(-50, 500, (n, 3)), ids, parent_id, radius)


@pytest.mark.parametrize("format", ["csv", "geff"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(0, 80))
def test_what_is_written_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, format: TracksWriteFormat, seed: int, n: int
) -> None:
    tracks, path = make_forest(seed, n), tmp_path_factory.mktemp("tracks") / "out"
    write_tracks(tracks, path, format=format)
    again = read_tracks(path)
    for name in ("t", "id", "parent_row"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tracks, name))
    np.testing.assert_allclose(again.zyx_um, tracks.zyx_um, atol=0.5e-6)
    if tracks.radius_um is not None and n:
        np.testing.assert_allclose(again.radius_um, tracks.radius_um, rtol=1e-8)


def test_units_scale_positions_and_radii(tmp_path: Path) -> None:
    tracks = make_forest(1, 20)
    write_tracks(tracks, tmp_path / "t.csv", format="csv")
    scaled = read_tracks(tmp_path / "t.csv", unit_um=0.25)
    np.testing.assert_allclose(scaled.zyx_um, tracks.zyx_um * 0.25, atol=1e-6)
    assert scaled.radius_um is not None
    assert tracks.radius_um is not None
    np.testing.assert_allclose(scaled.radius_um, tracks.radius_um * 0.25)


@pytest.mark.parametrize("unit_um", [0.0, -1.0, float("nan"), float("inf")])
def test_a_unit_that_is_no_length_is_refused(tmp_path: Path, unit_um: float) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    with pytest.raises(TracksFormatError, match=r"unit_um is .*, it must be a positive number"):
        read_tracks(tmp_path / "t.csv", unit_um=unit_um)


def test_nothing_at_the_place_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TracksNotFoundError, match=r"none\.csv: there is no file or folder at this place"):
        read_tracks(tmp_path / "none.csv")
    with pytest.raises(TracksFormatError, match="cannot be read: File name too long"):
        read_tracks(tmp_path / ("n" * 300))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89HDF\r\n\x1a\n", "a binary file of no known track format"),
        (b"II*\x00", "a movie in place of the tracks"),
        (b"\xac\xed\x00\x05w", "one file of an unpacked project"),
        (CSV.encode("utf-16"), "a table saved as UTF-16"),
        (b"PK\x03\x04 and so on", r"project\.xml cannot be unpacked"),
        (b"<svg/>", "root element is svg, expected TrackMate"),
        (b"", "the table lacks the columns"),
    ],
)
def test_files_of_other_kinds_are_refused_for_what_they_are(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "tracks").write_bytes(content)
    with pytest.raises(TracksFormatError, match=said):
        read_tracks(tmp_path / "tracks")


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text(CSV)
    with pytest.raises(TracksFormatError, match=r"a folder of no known track format(.|\n)*found: tracks\.csv"):
        read_tracks(tmp_path)


def test_the_format_is_found_from_the_content_whatever_the_name(tmp_path: Path) -> None:
    (tmp_path / "tracks.txt").write_text(CSV)
    assert read_tracks(str(tmp_path / "tracks.txt")).n == 2
    (tmp_path / "tracks.csv").write_text("0\t1\t2\t3\t1\t-1\t-1\n")
    assert read_tracks(tmp_path / "tracks.csv", unit_um=0.5).n == 1


def test_a_format_can_be_asked_for_and_must_be_known(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(CSV)
    assert read_tracks(tmp_path / "t.csv", format="csv").n == 2
    with pytest.raises(TracksError, match="the first row has 1 columns parted by tabs"):
        read_tracks(tmp_path / "t.csv", format="linajea")
    with pytest.raises(TracksFormatError, match=r"'excel' are not known\.\n  fix:      choose one of: csv"):
        read_tracks(tmp_path / "t.csv", format="excel")
    with pytest.raises(TracksError, match="cannot be written as 'excel'"):
        write_tracks(make_forest(0, 3), tmp_path / "t.xls", format="excel")  # type: ignore[arg-type]
    with pytest.raises(TracksError, match="napari tracks take no further columns"):
        write_tracks(make_forest(0, 3), tmp_path / "n", format="napari", columns={"score": np.zeros(3)})


REAL = {  # file: points, links; those of the CSV tables are held against the statistics beside them as well
    "ascidian_astec/Pm03.csv": (13484, 13438),
    "ascidian_astec/Pm03.mastodon": (13484, 13438),
    "ascidian_astec/Pm05.csv": (13677, 13621),
    "ascidian_astec/Pm05.mastodon": (13677, 13621),
    "ascidian_astec/Pm07.csv": (9730, 9687),
    "ascidian_astec/Pm07.mastodon": (9730, 9687),
    "cho_02/train.csv": (60, 57),
    "cho_02/val.csv": (20, 19),
    "drosophila_120828/divisions.csv": (1650, 1523),
    "drosophila_120828/tracks_side_1.csv": (38156, 38046),
    "linajea_text/drosophila_tracks_side_1.txt": (38156, 38046),
    "linajea_text/mouse_division_tracks.txt": (2940, 2662),
    "mastodon_demo/demo.mastodon": (98, 55),
    "mastodon_demo/mamutproject.mastodon": (3087, 2981),
    "microglia/track_auto.csv": (121, 120),
    "mouse_140521/division_tracks.csv": (2940, 2662),
    "tgmm_mini/tgmm-mini.mastodon": (3087, 2981),
    "tgmm_mini/tracks.csv": (3087, 2981),
    "tgmm_mini_crop/tgmm-mini_27_31.mastodon": (10, 0),
    "tgmm_mini_crop/tracks_tgmm_auto.csv": (85, 61),
    "zebrafish_160328/tracks_side_1.csv": (14535, 14513),
}
REFUSED = {
    "linajea_text/mouse_daughter_cells.txt": r"line 1: point 45822879 (.|\n)*552 of 552(.|\n)*daughter",
    "linajea_text/not_mamut_BL_180810_SPM00_unseg.xml": "is not a MaMuT file: its root element is SpimData",
    "linajea_text/mouse_attributes.json": "a text that is no table",
    "tgmm_mini/datasethdf5.xml": "root element is SpimData, the description of an image",
    "tgmm_mini/datasethdf5.settings.xml": "root element is Settings, expected TrackMate",
    "tgmm_mini_crop/tgmm_mini_27_31.xml": "root element is SpimData, the description of an image",
    "tgmm_mini_crop/tgmm_mini_27_31.h5": "binary file of no known track format",
    "tgmm_mini_crop/movie.tif": "a movie in place of the tracks",
    "microglia/track-thresholdFloodFillTracking.csv": r"lacks the columns t, z,(.|\n)*found: timepoint",
    "microglia": "a folder of no known track format",
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_has_the_points_and_links_that_are_known(real_data: Path, name: str) -> None:
    tracks = read_tracks(real_data / name)
    assert (tracks.n, len(tracks.edges)) == REAL[name]
    sidecar = (real_data / name).with_suffix(".json")
    if sidecar.exists():
        stats = json.loads(sidecar.read_text())["stats"]
        assert (tracks.n, len(tracks.edges)) == (stats["cells"], stats["links"])
        assert (tracks.t.min(), tracks.t.max()) == (stats["t_min"], stats["t_max"])
        assert np.count_nonzero(tracks.n_children == 2) == stats["divisions"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_real_file_that_holds_no_tracks_is_refused_for_the_reason_that_is_true(real_data: Path, name: str) -> None:
    with pytest.raises(TracksError, match=REFUSED[name]):
        read_tracks(real_data / name)


def test_every_real_table_and_project_is_covered_here(real_data: Path) -> None:
    found = {
        str(item.relative_to(real_data))
        for item in real_data.glob("*/*")
        if item.suffix in {".csv", ".mastodon"} or (item.suffix == ".txt" and "LICEN" not in item.name)
    }
    assert found <= REAL.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", ["ascidian_astec/Pm03", "ascidian_astec/Pm05", "ascidian_astec/Pm07"])
def test_a_project_and_the_table_made_from_it_agree(real_data: Path, name: str) -> None:
    project = read_tracks(real_data / f"{name}.mastodon", unit_um=0.3)
    table = read_tracks(real_data / f"{name}.csv", unit_um=0.3)
    np.testing.assert_array_equal(project.id, table.id)
    np.testing.assert_array_equal(project.parent_row, table.parent_row)
    np.testing.assert_allclose(project.zyx_um, table.zyx_um, atol=0.3 * 0.00051)


def test_the_original_text_and_the_table_made_from_it_agree(real_data: Path) -> None:
    text = read_tracks(real_data / "linajea_text/drosophila_tracks_side_1.txt", unit_um=0.40625)
    table = read_tracks(real_data / "drosophila_120828/tracks_side_1.csv", unit_um=0.40625)
    np.testing.assert_array_equal(text.id, table.id)
    np.testing.assert_array_equal(text.parent_row, table.parent_row)
    np.testing.assert_allclose(text.zyx_um, table.zyx_um)


def test_projects_without_a_unit_of_length_are_warned_of(real_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_tracks(real_data / "ascidian_astec/Pm07.mastodon")
    assert "project.xml states no unit of length; positions are taken as µm" in caplog.text
