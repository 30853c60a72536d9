from __future__ import annotations

import builtins
import copy
import inspect
import pickle
import re

import pytest

from morula import errors
from morula.errors import ChunkError, MorulaError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MorulaError)]
_LINE = re.compile(r"^ {4}(?P<branches>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +\((?P<builtin>\w+)\))?")


def _drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Parent and builtin of every class in the tree that the docstring of the module draws."""
    drawn: dict[str, tuple[str | None, str | None]] = {}
    line_of_descent: list[str] = []
    for found in filter(None, map(_LINE.match, errors.__doc__.splitlines())):
        depth = len(found["branches"]) // 4
        line_of_descent[depth:] = [found["name"]]
        drawn[found["name"]] = (line_of_descent[depth - 1] if depth else None, found["builtin"])
    return drawn


def _true_tree() -> dict[str, tuple[str | None, str | None]]:
    true = {}
    for kind in KINDS:
        ours = [base.__name__ for base in kind.__bases__ if issubclass(base, MorulaError)]
        natural = [base.__name__ for base in kind.__bases__ if getattr(builtins, base.__name__, None) is base]
        true[kind.__name__] = (ours[0] if ours else None, natural[0] if ours and natural else None)
    return true


def test_the_tree_in_the_docstring_is_the_truth() -> None:
    assert _drawn_tree() == _true_tree()
    assert len(_drawn_tree()) > 15


def test_a_message_says_what_was_measured_why_and_how_to_mend_it() -> None:
    error = MorulaError(
        "frame 42: none of 2 cells lies within 15 µm of a cell in frame 41.",
        measured="nearest earlier cell at 60.0 µm",
        cause="positions in voxels instead of µm",
        fix="check the movie's voxel size",
    )
    assert str(error) == (
        "frame 42: none of 2 cells lies within 15 µm of a cell in frame 41.\n"
        "  measured: nearest earlier cell at 60.0 µm\n"
        "  cause:    positions in voxels instead of µm\n"
        "  fix:      check the movie's voxel size"
    )


def test_lines_without_content_are_left_out() -> None:
    assert str(MorulaError("no movie.", fix="give one")) == "no movie.\n  fix:      give one"
    assert str(MorulaError("no movie.")) == "no movie."


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("remake", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_every_error_travels_between_processes_whole(kind, remake) -> None:
    error = kind("what.", measured="7", cause="rain", fix="umbrella")
    again = remake(error)
    assert type(again) is kind
    assert str(again) == str(error)
    assert (again.what, again.measured, again.cause, again.fix) == ("what.", "7", "rain", "umbrella")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_failed_blocks_end_with_another_exit_code_than_one(kind) -> None:
    assert kind.exit_code == (3 if kind is errors.BlocksFailedError else 1)


def test_an_error_is_caught_by_its_own_kind_by_its_family_and_by_its_builtin() -> None:
    for family in (ChunkError, errors.MovieError, MorulaError, OSError, ValueError):
        with pytest.raises(family, match="chunk 3"):
            raise ChunkError("chunk 3 is damaged.")
