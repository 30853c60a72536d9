"""MaMuT and TrackMate files, written here from the description of the format."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from morula.core.tracks import Tracks
from morula.errors import MorulaError, TracksError, TracksFormatError
from morula.io.tracks.mamut import read_mamut

#  spot 10 (t 2)
#     |
#  spot 11 (t 3)
#   /     \
#  12 (t 4) 13 (t 5, over two frames)     14 (t 3, alone)
FILE = """<?xml version="1.0" encoding="UTF-8"?>
<TrackMate version="6.0.1">
  <Log>made by hand</Log>
  <Model spatialunits="um" timeunits="frame">
    <FeatureDeclarations><SpotFeatures><Feature feature="QUALITY" isint="false"/></SpotFeatures></FeatureDeclarations>
    <AllSpots nspots="6">
      <SpotsInFrame frame="0"/>
      <SpotsInFrame frame="2">
        <Spot ID="10" name="a" FRAME="2" POSITION_T="240.0" POSITION_X="1" POSITION_Y="2" POSITION_Z="3" RADIUS="4"/>
      </SpotsInFrame>
      <SpotsInFrame frame="3">
        <Spot POSITION_X="1" POSITION_Y="2" POSITION_Z="4" RADIUS="4.0" QUALITY="NaN" FRAME="3.0" ID="11"/>
        <Spot ID="14" FRAME="3" POSITION_X="50" POSITION_Y="2" POSITION_Z="4" RADIUS="4" VISIBILITY="1"/>
        <Spot ID="15" FRAME="3" POSITION_X="60" POSITION_Y="2" POSITION_Z="4" RADIUS="4" VISIBILITY="0"/>
      </SpotsInFrame>
      <SpotsInFrame frame="4"><Spot ID="12" POSITION_X="0" POSITION_Y="2" POSITION_Z="4" RADIUS="4"/></SpotsInFrame>
      <SpotsInFrame frame="5">
        <Spot ID="13" FRAME="5" POSITION_X="2" POSITION_Y="2" POSITION_Z="4" RADIUS="4" ROI_N_POINTS="2">1 2 3 4</Spot>
      </SpotsInFrame>
    </AllSpots>
    <AllTracks>
      <Track name="T" TRACK_ID="0" TRACK_INDEX="0">
        <Edge SPOT_SOURCE_ID="10" SPOT_TARGET_ID="11" LINK_COST="1.0"/>
        <Edge SPOT_SOURCE_ID="12" SPOT_TARGET_ID="11"/>
        <Edge SPOT_SOURCE_ID="11" SPOT_TARGET_ID="13"/>
        <Edge SPOT_SOURCE_ID="10" SPOT_TARGET_ID="15"/>
      </Track>
    </AllTracks>
    <FilteredTracks><TrackID TRACK_ID="0"/></FilteredTracks>
  </Model>
  <Settings><ImageData filename="dataset.xml" folder="..\\data" width="10"/></Settings>
</TrackMate>
"""


@pytest.fixture
def xml(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "tracks.xml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_spots_and_edges_are_read_in_either_direction(xml: Callable[[str], Path]) -> None:
    tracks = read_mamut(xml(FILE))
    assert tracks.id.tolist() == [10, 11, 14, 12, 13]
    assert tracks.t.tolist() == [2, 3, 3, 4, 5]
    assert tracks.parent_id.tolist() == [-1, 10, -1, 11, 11]
    assert tracks.zyx_um[0].tolist() == [3, 2, 1]
    assert tracks.radius_um is not None
    assert tracks.radius_um.tolist() == [4] * 5


def test_hidden_spots_are_skipped_with_their_edges_and_counted(
    xml: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tracks = read_mamut(xml(FILE))
    assert 15 not in tracks.id
    assert "skipped 1 hidden spots" in caplog.text


def test_tracks_that_were_filtered_out_are_skipped(xml: Callable[[str], Path]) -> None:
    tracks = read_mamut(xml(FILE.replace('<TrackID TRACK_ID="0"/>', '<TrackID TRACK_ID="1"/>')))
    assert tracks.id.tolist() == [14]


def test_without_a_list_of_filtered_tracks_all_are_read(xml: Callable[[str], Path]) -> None:
    tracks = read_mamut(xml(FILE.replace('<FilteredTracks><TrackID TRACK_ID="0"/></FilteredTracks>', "")))
    assert len(tracks.edges) == 3


def test_the_frame_is_taken_from_the_group_or_the_time_where_the_spot_has_none(xml: Callable[[str], Path]) -> None:
    by_time = FILE.replace('<SpotsInFrame frame="2">', "<SpotsInFrame>").replace(
        'FRAME="2" POSITION_T="240.0"', 'POSITION_T="2.0"'
    )
    assert read_mamut(xml(by_time)).t.tolist() == [2, 3, 3, 4, 5]


@pytest.mark.parametrize(
    ("unit", "unit_um", "z", "warned"), [("nm", 1.0, 0.003, False), ("", 1.0, 3.0, True), ("pixel", 0.5, 1.5, False)]
)
def test_units_are_honoured_and_their_absence_is_warned_of(
    xml: Callable[[str], Path], caplog: pytest.LogCaptureFixture, unit: str, unit_um: float, z: float, warned: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        tracks = read_mamut(xml(FILE.replace('"um"', f'"{unit}"')), unit_um=unit_um)
    assert tracks.zyx_um[0, 0] == pytest.approx(z)
    assert ("positions are taken as µm" in caplog.text) == warned


def test_spots_without_radius_give_tracks_without_radius(xml: Callable[[str], Path]) -> None:
    without = FILE.replace('RADIUS="4"', "").replace('RADIUS="4.0"', "")
    assert read_mamut(xml(without)).radius_um is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'TARGET_ID="15"',
            'TARGET_ID="13"',
            r"line 26: the point in frame 5 gets a second parent \(the first by line 25",
        ),
        (
            'SOURCE_ID="10" SPOT_TARGET_ID="15"',
            'SOURCE_ID="14" SPOT_TARGET_ID="11"',
            "line 26: the link joins two points of frame 3",
        ),
        ('SOURCE_ID="12"', 'SOURCE_ID="99"', r"line 24: the edge names spot 99, which is not in the file"),
        ('ID="12" POSITION_X="0"', 'ID="12" POSITION_X="NaN"', r"line 16: the position \(z, y, x\) = \(4, 2, nan\)"),
        ('ID="12" POSITION_X="0"', 'ID="12" POSITION_X="wide"', "line 16: POSITION_X is 'wide', expected a number"),
        ('ID="12" POSITION_X="0"', 'ID="12"', "line 16: Spot has no POSITION_X"),
        ('ID="12"', 'ID="a"', "line 16: ID is 'a', expected a whole number"),
        ('ID="12"', 'ID="99999999999999999999"', "line 16: ID is '99999999999999999999'"),
        ('ID="12"', 'ID="10"', "line 16: the id 10 is already used by line 9"),
        ('FRAME="5"', 'FRAME="5.5"', r"line 18: t is 5\.5, a frame is a whole number"),
        ("</AllTracks>", "</AllTrack>", r"line 28: the XML cannot be read \(mismatched tag\)"),
        ("AllSpots", "Everything", "there is no element AllSpots"),
        ('encoding="UTF-8"', 'encoding="no-such"', "the XML cannot be read"),
    ],
)
def test_a_broken_file_is_refused_where_it_breaks(xml: Callable[[str], Path], old: str, new: str, said: str) -> None:
    with pytest.raises(TracksError, match=said):
        read_mamut(xml(FILE.replace(old, new)))


def test_three_children_are_refused(xml: Callable[[str], Path]) -> None:
    edge = '<Edge SPOT_SOURCE_ID="11" SPOT_TARGET_ID="{}"/>'
    third = (
        '<SpotsInFrame frame="6"><Spot ID="16" FRAME="6" POSITION_X="1" POSITION_Y="1" POSITION_Z="1"/></SpotsInFrame>'
    )
    broken = FILE.replace("</AllSpots>", third + "</AllSpots>").replace("</Track>", edge.format(16) + "</Track>")
    with pytest.raises(TracksError, match="a third child of point 11 in frame 3"):
        read_mamut(xml(broken))


def test_the_xml_of_a_movie_is_refused_for_what_it_is(xml: Callable[[str], Path]) -> None:
    with pytest.raises(TracksFormatError, match=r"root element is SpimData(.|\n)*the XML of the movie was given"):
        read_mamut(xml('<SpimData version="0.2"><BasePath type="relative">.</BasePath></SpimData>'))
    with pytest.raises(TracksFormatError, match="root element is svg, expected TrackMate"):
        read_mamut(xml("<svg/>"))


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE T [" + "".join(f'<!ENTITY a{i + 1} "{f"&a{i};" * 10}">' for i in range(9)) + "]>",
        '<!DOCTYPE T [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE T SYSTEM "http://localhost/x.dtd">',
    ],
)
def test_entities_and_document_types_are_refused_unexpanded(xml: Callable[[str], Path], declaration: str) -> None:
    path = xml(FILE.replace("<TrackMate", declaration + "<TrackMate", 1).replace("made by hand", "&a9;"))
    tracemalloc.start()
    try:
        with pytest.raises(TracksFormatError, match="declares a document type or entities"):
            read_mamut(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_deeply_nested_elements_do_no_harm(xml: Callable[[str], Path]) -> None:
    nested = "<a>" * 100_000 + "</a>" * 100_000
    assert read_mamut(xml(FILE.replace("made by hand", nested))).n == 5


def outcome(path: Path) -> Tracks | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read_mamut(path)
    except MorulaError as error:
        return str(error)


def test_damaged_files_are_refused_or_read_right(
    xml: Callable[[str | bytes], Path], mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    for seed in mutation_seeds:
        path = xml(mutate(FILE.encode(), seed))
        result = outcome(path)
        assert isinstance(result, Tracks) or str(path) in result
