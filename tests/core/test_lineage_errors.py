import numpy as np
import pytest

from morula.core.lineage_errors import ERROR_KINDS, LineageErrors


def some_errors(**changed) -> LineageErrors:
    columns = {
        "kind": ["fn_edge", "fp_division", "fn_edge"],
        "t": np.array([1, 1, 4]),
        "zyx_um": np.zeros((3, 3)),
        "truth_id": [5, -1, 6],
        "reconstruction_id": [-1, 8, -1],
    }
    return LineageErrors(**columns | changed)


def test_places_are_counted_by_kind():
    errors = some_errors()
    assert (errors.n, errors.count("fn_edge"), errors.count("fp_division"), errors.count("fp_edge")) == (3, 2, 1, 0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"kind": ["fn_edge", "typo", "fn_edge"]}, r"unknown kinds \['typo'\]"),
        ({"t": np.array([1, 4, 1])}, "frames are not in order"),
        ({"truth_id": [5, -1]}, r"truth_id has shape \(2,\)"),
        ({"zyx_um": np.full((3, 3), np.nan)}, "not finite"),
    ],
)
def test_a_table_that_is_wrong_cannot_be_built(changed, message):
    with pytest.raises(ValueError, match=message):
        some_errors(**changed)


def test_the_longest_name_of_a_kind_is_kept_whole():
    errors = some_errors(kind=sorted(ERROR_KINDS, key=len)[-3:])
    assert errors.kind.tolist() == sorted(ERROR_KINDS, key=len)[-3:]
