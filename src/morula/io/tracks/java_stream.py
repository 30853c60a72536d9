"""The primitive data of a Java object-output stream, as Mastodon writes it: a bounded reader that runs nothing.

A stream is the header ``AC ED 00 05`` and records. Primitive data come in block records, ``77`` with an unsigned
length of one byte or ``7A`` with one of four, and a value may straddle two blocks; so the payloads are joined before
anything is decoded. Object records (labels, in Mastodon) follow; they are never decoded, so no class name in a file
has any effect. Nothing is allocated from a number in the file that the file's own size does not bear out.
"""

from __future__ import annotations

import struct

from morula.errors import TracksFormatError

_HEADER = b"\xac\xed\x00\x05"
_SHORT_BLOCK, _LONG_BLOCK = 0x77, 0x7A


def read_block_data(stream: bytes, where: str) -> bytes:
    """Return the joined payload of the block records up to the first object record or the end.

    Parameters
    ----------
    stream
        The whole stream.
    where
        File and member, for messages.

    Raises
    ------
    TracksFormatError
        If the header is not Java's, or a block is longer than what is left of the stream.

    Examples
    --------
    >>> read_block_data(bytes.fromhex("aced0005 7702 0001 7a00000002 0002 70"), "demo")
    b'\\x00\\x01\\x00\\x02'
    """
    if stream[:4] != _HEADER:
        raise TracksFormatError(
            f"{where}: the first bytes are {stream[:4].hex(' ') or 'missing'}, a Java stream begins ac ed 00 05.",
            cause="a damaged file, or one that Mastodon did not write",
            fix="save the project again in Mastodon",
        )
    payloads, position = [], len(_HEADER)
    view = memoryview(stream)
    while position < len(stream) and stream[position] in (_SHORT_BLOCK, _LONG_BLOCK):
        width = 1 if stream[position] == _SHORT_BLOCK else 4
        start = position + 1 + width
        length = int.from_bytes(stream[position + 1 : start], "big")
        if start > len(stream) or length > len(stream) - start:
            raise TracksFormatError(
                f"{where}, byte {position}: a block of {length} bytes, but only "
                f"{max(0, len(stream) - start)} bytes are left.",
                cause="the file was cut off or damaged",
                fix="copy the project again, or save it again in Mastodon",
            )
        payloads.append(view[start : start + length])
        position = start + length
    return b"".join(payloads)


def read_int(data: bytes, position: int, where: str) -> int:
    """Return the big-endian signed four-byte integer at a position of joined block data.

    Raises
    ------
    TracksFormatError
        If the data end before.
    """
    if position + 4 > len(data):
        raise TracksFormatError(
            f"{where}: the data end at byte {len(data)}, a number was expected at byte {position}.",
            cause="the file was cut off or damaged",
            fix="copy the project again, or save it again in Mastodon",
        )
    return int(struct.unpack_from(">i", data, position)[0])
