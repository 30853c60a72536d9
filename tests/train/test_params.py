from __future__ import annotations

import pytest
from pydantic import ValidationError

from morula.errors import ConfigError
from morula.train.params import TrainParams, settle_second_round


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iterations": 0}, "greater than or equal to 1"),
        ({"learning_rate": 0.0}, "greater than 0"),
        ({"learning_rate": float("nan")}, "finite number"),
        ({"average_decay": 1.0}, "less than 1"),
        ({"background": "none"}, "'paper', 'blobs' or 'pseudo'"),
        ({"epochs": 3}, "Unexpected keyword argument"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainParams(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target_sigma_um": (1.0, 0.0, 1.0)}, r"target_sigma_um must be positive, not \[1.0, 0.0, 1.0\]"),
        ({"crop_outputs": (4, 0, 4)}, r"crop_outputs must be positive, not \[4, 0, 4\]"),
    ],
)
def test_lengths_must_be_positive_on_every_axis(changes, message) -> None:
    with pytest.raises((ConfigError, ValidationError), match=message):
        TrainParams(**changes)


def test_the_second_round_has_its_own_length_rate_and_share_and_nothing_else() -> None:
    params = TrainParams(second_iterations=7, second_learning_rate=1e-4, second_random_share=0.9, seed=3)
    second = settle_second_round(params)
    assert (second.iterations, second.learning_rate, second.random_share) == (7, 1e-4, 0.9)
    changed = {n for n in params.__dataclass_fields__ if getattr(params, n) != getattr(second, n)}
    assert changed == {"iterations", "learning_rate", "random_share"}
