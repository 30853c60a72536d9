"""Damaged copies of files, for every reader's mutation test.

A reader given a damaged file must raise a clear `MorulaError` or return a valid result; never another exception, a
hang, or memory beyond a bound. `mutate` makes one damaged copy from bytes and a seed; `mutation_seeds` says how many
(environment variable MORULA_MUTATIONS, 500 by default; ``make proof`` sets 10 000).
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable

import pytest

_NUMBERS = [
    b"0",
    b"-1",
    b"1e400",
    b"nan",
    b"NaN",
    b"1000000000000",
    b"99999999999999999999",
    b'""',
    b"null",
    b"[]",
    b"{}",
]
_WORD = re.compile(rb"[A-Za-z_]{2,}|-?\d+(?:\.\d+)?")


@pytest.fixture(scope="session")
def mutation_seeds() -> range:
    """Seeds of the mutations to try, 0 up to MORULA_MUTATIONS (default 500)."""
    return range(int(os.environ.get("MORULA_MUTATIONS", "500")))


@pytest.fixture(scope="session")
def mutate() -> Callable[[bytes, int], bytes]:
    """Return a function (bytes, seed) → damaged bytes: bit flips, truncation, moved, swapped or replaced pieces."""
    return mutate_bytes


def mutate_bytes(data: bytes, seed: int) -> bytes:
    """Damage `data` in one to three ways chosen by `seed`; equal arguments give equal results."""
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(_WAYS)(data, chance)
    return data


def _flip_bits(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 8) if damaged else 0):
        damaged[_place(len(damaged), chance)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    """Set one to eight neighbouring bytes to 00, FF, 7F or chance."""
    damaged = bytearray(data)
    if damaged:
        start = _place(len(damaged), chance)
        length = min(chance.choice((1, 2, 4, 8)), len(damaged) - start)
        fill = chance.choice((0x00, 0xFF, 0x7F, None))
        damaged[start : start + length] = bytes(chance.randrange(256) if fill is None else fill for _ in range(length))
    return bytes(damaged)


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))] if data else data


def _cut_out(data: bytes, chance: random.Random) -> bytes:
    start, stop = sorted((_place(len(data) + 1, chance), _place(len(data) + 1, chance)))
    return data[:start] + data[stop:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start = _place(len(data) + 1, chance)
    piece = data[start : start + chance.randint(1, 64)]
    return data[:start] + piece * chance.randint(1, 8) + data[start:]


def _swap_words(data: bytes, chance: random.Random) -> bytes:
    """Exchange two names or numbers, as when two fields of a table or of JSON are mixed up."""
    words = list(_WORD.finditer(data[:100_000]))
    if len(words) < 2:
        return _flip_bits(data, chance)
    first, second = sorted(chance.sample(words, 2), key=lambda word: word.start())
    return b"".join(
        (data[: first.start()], second[0], data[first.end() : second.start()], first[0], data[second.end() :])
    )


def _replace_word(data: bytes, chance: random.Random) -> bytes:
    """Put a number no file should hold in the place of a name or number."""
    words = list(_WORD.finditer(data[:100_000]))
    if not words:
        return _overwrite(data, chance)
    word = chance.choice(words)
    return data[: word.start()] + chance.choice(_NUMBERS) + data[word.end() :]


def _place(size: int, chance: random.Random) -> int:
    """Choose a position, every second time among the first 512 bytes, where headers stand."""
    return chance.randrange(min(size, 512) if chance.random() < 0.5 else size)


_WAYS = (_flip_bits, _flip_bits, _overwrite, _truncate, _cut_out, _repeat, _swap_words, _replace_word)
