from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from morula.store.fingerprint import canonical_text, describe_changes, fingerprint, fingerprint_file

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_SETTINGS = st.dictionaries(
    st.text(min_size=1, max_size=3), st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3)), max_size=4
)


def test_the_fingerprint_of_given_settings_never_changes() -> None:
    # If this fails, every stored run starts again: change RESULTS_VERSION knowingly instead.
    settings_ = {"detect": {"threshold": 0.25, "window_um": [5, 2.5]}, "movie": "Zürich"}
    assert fingerprint(settings_) == "733362e5fa65463c"


@given(_SETTINGS)
@settings(max_examples=50, deadline=None)
def test_the_order_of_settings_makes_no_difference(values: dict[str, object]) -> None:
    assert fingerprint(dict(reversed(values.items()))) == fingerprint(values)


@given(_SETTINGS, _SETTINGS)
@settings(max_examples=50, deadline=None)
def test_changes_are_named_exactly_when_the_fingerprint_differs(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert bool(describe_changes(one, other)) == (fingerprint(one) != fingerprint(other))


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=50, deadline=None)
def test_a_number_keeps_all_its_digits(number: float) -> None:
    assert float(canonical_text(number)) == number


def test_a_whole_number_is_the_same_setting_as_integer_and_float() -> None:
    assert fingerprint({"a": 1}) == fingerprint({"a": 1.0}) != fingerprint({"a": True})


def test_infinity_and_the_text_inf_are_told_apart_from_a_number() -> None:
    assert canonical_text([float("inf"), float("nan")]) == '["inf","nan"]'


def test_settings_that_came_and_went_are_named() -> None:
    before = {"detect": {"threshold": 0.3, "old": 1}, "model": "a"}
    after = {"detect": {"threshold": 0.3, "new": None}, "model": "b"}
    assert describe_changes(before, after) == [
        "detect.new (none) → null",
        "detect.old 1 → (none)",
        'model "a" → "b"',
    ]


def test_long_values_are_cut_in_messages() -> None:
    (change,) = describe_changes({"weights": [1]}, {"weights": list(range(100))})
    assert change.startswith("weights [1] → [0,1,2,")
    assert change.endswith("…")
    assert len(change) < 100


def test_a_file_is_named_by_its_bytes_not_by_its_place(tmp_path: Path) -> None:
    one, copy, other = tmp_path / "one.csv", tmp_path / "copy.csv", tmp_path / "other.csv"
    one.write_text("t,z\n")
    copy.write_text("t,z\n")
    other.write_text("t,y\n")
    assert fingerprint_file(one) == fingerprint_file(copy) != fingerprint_file(other)
