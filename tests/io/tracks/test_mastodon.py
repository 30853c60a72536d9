"""Mastodon projects, written here from the description of the format."""

from __future__ import annotations

import logging
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from morula.core.tracks import Tracks
from morula.errors import MorulaError, TracksError, TracksFormatError
from morula.io.tracks.mastodon import read_mastodon

Spot = tuple[float, float, float, int]
PROJECT = '<MamutProject version="0.3"><SpimDataFile type="relative">..\\x.xml</SpimDataFile>{}</MamutProject>'
UM = PROJECT.format("<SpaceUnits>um</SpaceUnits><TimeUnits/>")

#  spot 0 (t 3)
#     |
#  spot 1 (t 4)
#   /    \
#  2 (t 5) 3 (t 6, over two frames)      4 (t 5, alone)
SPOTS = [(1.0, 2.0, 3.0, 3), (1.0, 2.0, 4.0, 4), (0.0, 2.0, 4.0, 5), (2.0, 2.0, 4.0, 6), (9.0, 9.0, 9.0, 5)]
LINKS = [(1, 3), (1, 2), (0, 1)]


def encode_model(
    spots: Sequence[Spot], links: Sequence[tuple[int, int]], *, radius: float = 2.0, block: int = 1024
) -> bytes:
    """Encode model.raw: spots little-endian, counts and links big-endian, then the labels as objects."""
    c = radius**2
    data = struct.pack(">i", len(spots))
    data += b"".join(struct.pack("<3di7d", x, y, z, t, c, 0, 0, c, 0, c, c) for x, y, z, t in spots)
    data += struct.pack(">i", len(links)) + b"".join(struct.pack(">4i", *link, 0, 0) for link in links)
    pieces = [data[start : start + block] for start in range(0, len(data), block)]
    records = [(b"\x77" + bytes([len(p)]) if len(p) < 256 else b"\x7a" + struct.pack(">i", len(p))) + p for p in pieces]
    return b"\xac\xed\x00\x05" + b"".join(records) + b"\x75\x72\x00\x13[Ljava.lang.String;"


def zip_project(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    def write(spots: Sequence[Spot] = SPOTS, links: Sequence[tuple[int, int]] = LINKS, xml: str = UM) -> Path:
        members = {"project.xml": xml, "model.raw": encode_model(spots, links), "gui.xml": "<x/>"}
        return zip_project(tmp_path / "p.mastodon", members)

    return write


def test_spots_and_links_are_read(project: Callable[..., Path]) -> None:
    tracks = read_mastodon(project())
    assert tracks.id.tolist() == [0, 1, 2, 4, 3]
    assert tracks.parent_id.tolist() == [-1, 0, 1, -1, 1]
    assert tracks.t.tolist() == [3, 4, 5, 5, 6]
    assert tracks.zyx_um[0].tolist() == [3, 2, 1]
    assert tracks.radius_um is not None
    np.testing.assert_allclose(tracks.radius_um, 2.0)


def test_a_plain_folder_reads_as_the_archive_does(project: Callable[..., Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(project()) as archive:
        archive.extractall(tmp_path / "folder")
    assert read_mastodon(tmp_path / "folder").parent_id.tolist() == [-1, 0, 1, -1, 1]


@pytest.mark.parametrize("block", [1, 100, 255, 256, 1024])
def test_where_the_stream_is_cut_into_blocks_does_not_matter(tmp_path: Path, block: int) -> None:
    members = {"project.xml": UM, "model.raw": encode_model(SPOTS, LINKS, block=block)}
    assert read_mastodon(zip_project(tmp_path / "p.mastodon", members)).n == 5


def test_links_stored_backwards_are_ordered_by_frame(project: Callable[..., Path]) -> None:
    forward, backward = read_mastodon(project()), read_mastodon(project(links=[(b, a) for a, b in LINKS]))
    assert forward.parent_id.tolist() == backward.parent_id.tolist()


def test_spots_at_the_origin_are_dropped_with_their_links(
    project: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    spots = [*SPOTS[:1], (0.0, 0.0, 0.0, 4), *SPOTS[2:]]
    with caplog.at_level(logging.WARNING):
        tracks = read_mastodon(project(spots=spots))
    assert tracks.id.tolist() == [0, 2, 4, 3]
    assert tracks.edges.tolist() == []
    assert "dropped 1 points at exactly (0, 0, 0) and cut their 3 links" in caplog.text


@pytest.mark.parametrize(
    ("units", "unit_um", "z", "warned"),
    [
        ("<SpaceUnits>nm</SpaceUnits>", 1.0, 0.003, False),
        ("<SpaceUnits>µm</SpaceUnits>", 1.0, 3.0, False),
        ("<SpaceUnits />", 1.0, 3.0, True),
        ("", 1.0, 3.0, True),
        ("<SpaceUnits>pixel</SpaceUnits>", 1.0, 3.0, True),
        ("<SpaceUnits>pixel</SpaceUnits>", 0.5, 1.5, False),
    ],
)
def test_units_are_honoured_and_their_absence_is_warned_of(
    project: Callable[..., Path], caplog: pytest.LogCaptureFixture, units: str, unit_um: float, z: float, warned: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        tracks = read_mastodon(project(xml=PROJECT.format(units)), unit_um=unit_um)
    assert tracks.zyx_um[0, 0] == pytest.approx(z)
    assert ("positions are taken as µm" in caplog.text) == warned


def test_an_ellipsoid_counts_with_the_geometric_mean_of_its_axes(tmp_path: Path) -> None:
    spot = struct.pack("<3di7d", 1, 1, 1, 0, 1, 0, 0, 8**2, 0, 8**2, 64)
    stream = b"\xac\xed\x00\x05\x77" + bytes([4 + 84 + 4]) + struct.pack(">i", 1) + spot + struct.pack(">i", 0)
    tracks = read_mastodon(zip_project(tmp_path / "p.mastodon", {"project.xml": UM, "model.raw": stream}))
    assert tracks.radius_um is not None
    assert tracks.radius_um[0] == pytest.approx(4)


@pytest.mark.parametrize(
    ("spots", "links", "said"),
    [
        (
            SPOTS,
            [(0, 1), (4, 3), (1, 3)],
            r"link 2: the point in frame 6 gets a second parent \(.*link 1",
        ),
        (SPOTS, [(2, 4)], r"model\.raw, link 0: the link joins two points of frame 5"),
        (SPOTS, [(0, 1), (0, 2), (0, 3)], r"model\.raw, spot 3: a third child of point 0 in frame 3"),
        (SPOTS, [(0, 5)], r"link 0: it joins the spots 0 and 5, there are 5"),
        (SPOTS, [(-1, 1)], r"link 0: it joins the spots -1 and 1"),
        ([(1.0, float("nan"), 1.0, 0)], [], r"spot 0: the position \(z, y, x\) = \(1, nan, 1\)"),
        ([(1.0, 1.0, 1.0, -2)], [], r"spot 0: t is -2"),
    ],
)
def test_spots_and_links_that_make_no_lineage_are_refused(
    project: Callable[..., Path], spots: list[Spot], links: list[tuple[int, int]], said: str
) -> None:
    with pytest.raises(TracksError, match=said):
        read_mastodon(project(spots=spots, links=links))


def test_a_link_given_twice_counts_once(project: Callable[..., Path]) -> None:
    assert read_mastodon(project(links=[*LINKS, LINKS[0]])).edges.shape == (3, 2)


def with_counter(value: int, at: int) -> bytes:
    model = bytearray(encode_model(SPOTS, LINKS))
    payload_at = 4 + 5  # stream header, one long block's header
    model[payload_at + at : payload_at + at + 4] = struct.pack(">i", value)
    return bytes(model)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (with_counter(2**31 - 1, 0), r"announces 2147483647 spots of 84 bytes each, but 468 bytes are there"),
        (with_counter(-1, 0), "announces -1 spots"),
        (with_counter(2**31 - 1, 4 + 5 * 84), "announces 2147483647 links of 16 bytes each, but 48 bytes are there"),
        (with_counter(2, 4 + 5 * 84), "announces 2 links"),
        (b"\xac\xed\x00\x05", "the data end at byte 0, a number was expected"),
        (encode_model(SPOTS, LINKS)[:300], "a block of 476 bytes, but only"),
        (b"not java", "the first bytes are 6e 6f 74 20"),
    ],
)
def test_counters_are_held_against_the_bytes_that_are_there(tmp_path: Path, model: bytes, said: str) -> None:
    path = zip_project(tmp_path / "p.mastodon", {"project.xml": UM, "model.raw": model})
    tracemalloc.start()
    try:
        with pytest.raises(TracksFormatError, match=said):
            read_mastodon(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"model.raw": b""}, r"there is no project\.xml in it(.|\n)*this is not a Mastodon project"),
        ({"project.xml": UM}, r"there is no model\.raw in it"),
        ({"p/project.xml": UM, "p/model.raw": b""}, "the project's folder was packed as a whole"),
        ({"../project.xml": UM, "../model.raw": b""}, r"there is no project\.xml in it"),
        ({"project.xml": "<SpimData/>", "model.raw": b""}, "root element SpimData, expected MamutProject"),
        ({"project.xml": "<Mamut", "model.raw": b""}, r"project\.xml is not readable XML"),
        ({"project.xml": '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, r"project\.xml is not readable XML"),
        ({"project.xml": " " * (2 << 20)}, r"project\.xml claims to hold 2097152 bytes"),
    ],
)
def test_archives_that_are_no_projects_are_refused(tmp_path: Path, members: dict[str, str | bytes], said: str) -> None:
    with pytest.raises(TracksFormatError, match=said):
        read_mastodon(zip_project(tmp_path / "p.mastodon", members))


def test_an_archive_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = zip_project(tmp_path / "p.mastodon", {"project.xml": UM, "model.raw": bytes(100 << 20)})
    tracemalloc.start()
    try:
        with pytest.raises(TracksFormatError, match=r"model\.raw claims to hold 104857600 bytes, at most"):
            read_mastodon(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.mastodon").write_bytes(b"nothing of the kind")
    with pytest.raises(TracksFormatError, match=r"project\.xml cannot be unpacked \(File is not a zip file\)"):
        read_mastodon(tmp_path / "p.mastodon")


def outcome(path: Path) -> Tracks | str:
    """What the reader returns, or what it says when it refuses; any other error ends the test."""
    try:
        return read_mastodon(path)
    except MorulaError as error:
        return str(error)


def test_damaged_projects_are_refused_or_read_right(
    tmp_path: Path, project: Callable[..., Path], mutate: Callable[[bytes, int], bytes], mutation_seeds: range
) -> None:
    """Every third damages the archive, the model without a checksum to catch it, or the project description."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "model.raw").write_bytes(encode_model(SPOTS, LINKS, block=100))
    (folder / "project.xml").write_text(UM)
    files = (project(), folder / "model.raw", folder / "project.xml")
    for seed in mutation_seeds:
        damaged = files[seed % 3]
        original = damaged.read_bytes()
        damaged.write_bytes(mutate(original, seed))
        result = outcome(damaged if seed % 3 == 0 else folder)
        damaged.write_bytes(original)
        assert isinstance(result, Tracks) or str(tmp_path) in result
