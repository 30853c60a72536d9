"""The block data of Java streams."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morula.errors import TracksFormatError
from morula.io.tracks.java_stream import read_block_data, read_int

HEADER = b"\xac\xed\x00\x05"


def blocks(payload: bytes, size: int) -> bytes:
    """Write a payload as Java does: blocks of a fixed size, short records for pieces below 256 bytes."""
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    return b"".join(
        (b"\x77" + bytes([len(piece)]) if len(piece) < 256 else b"\x7a" + struct.pack(">i", len(piece))) + piece
        for piece in pieces
    )


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=3000), st.integers(1, 1024))
def test_the_payload_does_not_depend_on_where_the_blocks_are_cut(payload: bytes, size: int) -> None:
    assert read_block_data(HEADER + blocks(payload, size), "x") == payload


def test_a_short_length_is_unsigned() -> None:
    assert read_block_data(HEADER + b"\x77\xa4" + bytes(164), "x") == bytes(164)


def test_reading_stops_at_the_first_object() -> None:
    assert read_block_data(HEADER + b"\x77\x01a" + b"\x75 whatever follows", "x") == b"a"


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"", "the first bytes are missing"),
        (b"PK\x03\x04", "the first bytes are 50 4b 03 04, a Java stream begins ac ed 00 05"),
        (HEADER + b"\x7a\x7f\xff\xff\xffabc", "byte 4: a block of 2147483647 bytes, but only 3 bytes are left"),
        (HEADER + b"\x77\x01a\x77\x05ab", "byte 7: a block of 5 bytes, but only 2 bytes are left"),
        (HEADER + b"\x7a\x00", "byte 4: a block of"),
        (HEADER + b"\x7a\xff\xff\xff\xffabc", "a block of 4294967295 bytes"),
    ],
)
def test_a_damaged_stream_is_refused_where_it_breaks(stream: bytes, said: str) -> None:
    with pytest.raises(TracksFormatError, match=said):
        read_block_data(stream, "x")


def test_a_number_beyond_the_end_is_refused() -> None:
    assert read_int(b"\x00\x00\x01\x00", 0, "x") == 256
    with pytest.raises(TracksFormatError, match="the data end at byte 4, a number was expected at byte 1"):
        read_int(b"\x00\x00\x01\x00", 1, "x")
