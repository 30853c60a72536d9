import pytest
from pydantic import ValidationError

from morula.evaluate.params import EvaluateParams


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_distance_um": 0},
        {"max_distance_um": float("inf")},
        {"window_frames": 0},
        {"division_tolerance_frames": -1},
        {"jaccard_distance_um": -7},
        {"true_points": 0},
        {"treshold_um": 3},
    ],
)
def test_settings_out_of_range_or_misspelt_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        EvaluateParams(**wrong)
