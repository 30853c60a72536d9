from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morula.core.columns import FloatArray, ReadOnlyColumns, column
from morula.core.detections import Detections
from morula.core.graph import CandidateGraph
from morula.core.lineages import Lineages, Selection
from morula.core.movie import Movie
from morula.core.tracks import Tracks


@dataclass(frozen=True, slots=True, eq=False)
class Pair(ReadOnlyColumns):
    left: FloatArray
    right: FloatArray | None = None


def _containers() -> list[ReadOnlyColumns]:
    nodes = Detections(
        t=[0, 1],
        zyx_um=np.zeros((2, 3)),
        score=[0.9, 0.8],
        movement_um=np.zeros((2, 3)),
        divides=[0.7, 0.1],
        born=[0.0, 0.6],
    )
    graph = CandidateGraph(nodes=nodes, edges=[[0, 1]], distance_um=[1.0])
    chosen = Selection([True, True], [True], 1.0, 1.0, "optimal", 0.1)
    return [
        nodes,
        graph,
        chosen,
        Lineages.from_selection(graph, chosen),
        Tracks.from_ids([0, 1], [[0, 0, 0], [0, 0, 1]], [7, 8], [-1, 7]),
        Movie(np.zeros((1, 2, 2, 2)), [1.0, 1.0, 1.0]),
    ]


def _columns(container: ReadOnlyColumns) -> dict[str, np.ndarray]:
    values = {name: getattr(container, name) for name in container.__slots__}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def test_a_column_is_a_read_only_view_and_the_callers_array_stays_writable() -> None:
    mine = np.arange(3.0)
    view = column(mine, np.float64, (3,), "mine")
    assert np.shares_memory(mine, view)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 5
    mine[0] = 5
    assert mine[0] == 5


@pytest.mark.parametrize(
    ("values", "dtype", "shape", "message"),
    [
        ([1.0, np.nan], np.float64, (None,), "score holds 1 values that are not finite"),
        ([np.inf, np.inf], np.float64, (None,), "score holds 2 values that are not finite"),
        ([1.0, 2.0], np.float64, (3,), r"score has shape \(2,\), expected \(3,\)"),
        ([[1.0, 2.0]], np.float64, (None, 3), r"score has shape \(1, 2\), expected \('n', 3\)"),
        ([0.5, 1.0], np.int64, (None,), "score holds 1 values that are not whole numbers, or too large for int64"),
        ([np.nan, 1.0], np.int32, (None,), "score holds 1 values that are not whole numbers, or too large for int32"),
        (
            np.array([2**40, 1]),
            np.int32,
            (None,),
            "score holds 1 values that are not whole numbers, or too large for int32",
        ),
        (np.array([2**63], np.uint64), np.int64, (None,), "score holds 1 values that are not whole numbers"),
    ],
)
def test_a_column_refuses_values_it_would_have_to_change(values, dtype, shape, message) -> None:
    with pytest.raises(ValueError, match=message):
        column(values, dtype, shape, "score")


@given(
    hnp.arrays(
        st.sampled_from([np.int8, np.int32, np.int64, np.uint16, np.float32, np.float64]),
        st.integers(0, 5),
        elements=st.integers(0, 100),
    ),
    st.sampled_from([np.int32, np.int64, np.float64]),
)
def test_whole_numbers_pass_through_every_type_unchanged(values, dtype) -> None:
    kept = column(values, dtype, (None,), "values")
    assert kept.dtype == dtype
    assert kept.tolist() == values.tolist()


def test_empty_lists_take_the_shape_asked_for() -> None:
    assert column([], np.float64, (None, 3), "zyx").shape == (0, 3)
    assert column([], np.int64, (None, 2), "edges").dtype == np.int64


@pytest.mark.parametrize("container", _containers(), ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("remake", [lambda c: pickle.loads(pickle.dumps(c)), copy.copy, copy.deepcopy])
def test_pickled_and_copied_containers_hold_the_same_read_only_columns(container, remake) -> None:
    again = remake(container)
    assert type(again) is type(container)
    assert _columns(again)
    for name, values in _columns(container).items():
        assert np.array_equal(getattr(again, name), values)
        assert not getattr(again, name).flags.writeable
    with pytest.raises(AttributeError, match="cannot assign"):
        setattr(again, container.__slots__[0], None)


@pytest.mark.parametrize("remake", [lambda c: pickle.loads(pickle.dumps(c)), copy.copy, copy.deepcopy])
def test_a_copied_movie_leaves_the_callers_pixels_writable(remake) -> None:
    pixels = np.zeros((1, 2, 2, 2))
    remake(Movie(pixels, [1.0, 1.0, 1.0]))
    pixels[0, 0, 0, 0] = 1.0
    assert pixels.flags.writeable


def test_columns_that_are_left_out_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(Pair(np.ones(2)))).right is None
