"""Configurations: written with every explanation, read back as they were, refused with the key and the nearest name."""

from __future__ import annotations

import types
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import annotated_types
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from morula.cli.options import parse_settings
from morula.config import (
    RunConfig,
    build_config,
    describe_settings,
    format_config,
    plain_values,
    read_config,
    replace_settings,
)
from morula.errors import ConfigError
from morula.solve.params import SolveParams

TABLES: dict[str, type] = get_type_hints(RunConfig)
LEAST = {"movie": {"path": "m.ome.zarr"}, "annotations": {"train": "t.csv"}}
MINIMAL = '[movie]\npath = "m.ome.zarr"\n[annotations]\ntrain = "t.csv"\n'


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for bound in metadata:
        if isinstance(bound, annotated_types.Ge):
            found["min_value"] = bound.ge
        elif isinstance(bound, annotated_types.Le):
            found["max_value"] = bound.le
        elif isinstance(bound, annotated_types.Gt):
            found |= {"min_value": bound.gt, "exclude_min": True}
        elif isinstance(bound, annotated_types.Lt):
            found |= {"max_value": bound.lt, "exclude_max": True}
    return found


def _values(kind: Any, bounds: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of an annotated type within bounds, as a person could write them into the file."""
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(bounds.get("min_value", -(10**6)), min(bounds.get("max_value", 10**6), 10**6))
    if kind is float:
        limits = {"min_value": -1e9, "max_value": 1e9} | bounds
        return st.floats(**limits, allow_nan=False, allow_infinity=False)
    if kind is str:
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (types.UnionType, Union):
        return st.one_of(st.none() if one is type(None) else _values(one, bounds) for one in inner)
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(_values(inner[0], {}), min_size=1, max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*(_values(one, {"min_value": 1}) for one in inner))
    raise TypeError(f"no values for {kind}")


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    """A configuration with any setting changed."""
    values: dict[str, dict[str, object]] = {}
    for table, params in TABLES.items():
        hints = get_type_hints(params)
        changed = draw(st.sets(st.sampled_from([field.name for field in fields(params)]), max_size=4))
        needed = set(LEAST.get(table, {}))
        values[table] = {
            name: draw(_values(hints[name], _bounds(params.__pydantic_fields__[name].metadata)))  # type: ignore[attr-defined]
            for name in sorted(changed | needed)
        }
    try:
        return build_config(values)
    except ConfigError:  # two settings that exclude each other, such as a width for each level of another network
        reject()


@given(configs())
@settings(max_examples=60, deadline=None)
def test_a_configuration_written_and_read_is_the_same(config: RunConfig) -> None:
    import tomllib

    assert build_config(tomllib.loads(format_config(config))) == config


def test_a_file_with_nothing_but_the_inputs_means_all_defaults(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL)
    read = read_config(path)
    assert read.solve == SolveParams()
    assert plain_values(read)["tune"] == plain_values(TABLES["tune"]())


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_is_explained_above_it_in_the_file_that_is_written(table: str) -> None:
    lines = format_config(build_config(LEAST)).partition(f"[{table}]\n")[2].splitlines()
    explained = describe_settings(TABLES[table])
    for field in fields(TABLES[table]):
        starts = (f"{field.name} = ", f"# {field.name} = (not set)")
        at = next(i for i, line in enumerate(lines) if line.startswith(starts))
        first = max(i for i in range(at) if not lines[i])
        above = " ".join(line.removeprefix("# ") for line in lines[first + 1 : at])
        assert above == explained[field.name]
        assert len(above) > 10


def test_the_reason_of_a_measured_value_stands_above_it() -> None:
    written = format_config(build_config(LEAST), {"detect.window_um": "1.4 half-widths of 2.1 µm"})
    assert "# Measured: 1.4 half-widths of 2.1 µm.\nwindow_um = " in written


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "run.toml"
    text = '[movie]\npath = "../m/T*.tif"\nmask = "/data/mask.zarr"\n'
    path.write_text(text + '[annotations]\ntrain = "t.csv"\nval = "https://lab.org/v.csv"\n')
    monkeypatch.chdir(tmp_path)
    read = read_config(Path("a/run.toml"))
    assert Path(read.movie.path).resolve().parts[-2:] == ("m", "T*.tif")
    assert Path(read.movie.path).is_absolute()
    assert read.movie.mask == "/data/mask.zarr"
    assert read.annotations.train == str(tmp_path / "a" / "t.csv")
    assert read.annotations.val == "https://lab.org/v.csv"
    assert read.annotations.truth is None


REFUSED = {
    "unknown table": ("[trian]\nseed = 1\n", r"run\.toml: unknown setting trian\.", "did you mean 'train'?"),
    "unknown key": (
        "[solve]\nstart_costs = 1\n",
        r"unknown setting solve\.start_costs\.",
        "did you mean 'start_cost'?",
    ),
    "nothing like it": ("[detect]\nqqq = 1\n", r"unknown setting detect\.qqq\.", "known here: threshold, window_um"),
    "too low": ("[detect]\nthreshold = -0.5\n", r"detect\.threshold .* greater than 0", "morula init"),
    "too high": ("[detect]\nthreshold = 1.5\n", r"detect\.threshold .* less than 1", "morula init"),
    "infinite": ("[solve]\nstart_cost = inf\n", r"solve\.start_cost .* finite number", "morula init"),
    "not a number": ("[solve]\nstart_cost = nan\n", r"solve\.start_cost .* finite number", "morula init"),
    "text for a number": ('[solve]\ngap = "small"\n', r"solve\.gap .* valid number", "morula init"),
    "part of a whole": ("[train]\niterations = 1.5\n", r"train\.iterations .* valid integer", "morula init"),
    "not a choice": ('[train]\nbackground = "none"\n', r"train\.background .* 'paper', 'blobs' or 'pseudo'", "init"),
    "two of three": ("[train]\ntarget_sigma_um = [1.0, 1.0]\n", r"train\.target_sigma_um needs more values", ""),
    "zero length": (
        "[train]\ntarget_sigma_um = [0, 1, 1]\n",
        r"train\.target_sigma_um must be positive",
        "morula init",
    ),
    "value for a table": ("train = 3\n", r"train is a table, not a value", "write [train]"),
    "not TOML": ("[solve\n", r"run\.toml: this is not a TOML file: .*line 5", "repair it"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_makes_no_configuration_is_refused_with_its_key(tmp_path: Path, case: tuple[str, str, str]) -> None:
    text, words, fix = case
    path = tmp_path / "run.toml"
    path.write_text(text + MINIMAL if text.startswith("train =") else MINIMAL + text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_config(path)
    assert fix in caught.value.fix


def test_a_missing_table_and_a_missing_key_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[movie]\npath = "m"\n')
    with pytest.raises(ConfigError, match="annotations is missing") as caught:
        read_config(path)
    assert caught.value.fix == "add the table [annotations]"
    path.write_text('[movie]\n[annotations]\ntrain = "t"\n')
    with pytest.raises(ConfigError, match=r"movie\.path is missing") as caught:
        read_config(path)
    assert caught.value.fix == "add it to the table [movie]"


def test_a_file_that_is_not_there_or_not_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: there is no configuration here"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="this cannot be read: Is a directory"):
        read_config(tmp_path)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ConfigError, match="this is not a TOML file"):
        read_config(tmp_path / "picture.png")


def test_settings_of_the_command_line_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(MINIMAL + "[solve]\nstart_cost = 1\n")
    given_here = ["solve.start_cost=4", "train.background=blobs", "tune.start_costs=[1, 2.5]", "tune.enabled=false"]
    read = read_config(path, parse_settings(given_here))
    assert read.solve.start_cost == 4
    assert read.train.background == "blobs"
    assert read.tune.start_costs == (1, 2.5)
    assert not read.tune.enabled


@pytest.mark.parametrize("text", ["solve.start_cost", "start_cost=4", "=4", "solve.=4", ".start_cost=4", "solve.gap="])
def test_a_setting_that_is_not_table_name_value_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a setting is written table\.name=value"):
        parse_settings([text])


def test_the_last_of_two_equal_settings_wins_and_blanks_do_not_count() -> None:
    assert parse_settings(["solve.gap=1", " solve.gap = 2 "]) == {"solve.gap": "2"}
    assert parse_settings(None) == {}


def test_one_stage_takes_its_own_settings_only() -> None:
    assert replace_settings(SolveParams(), "solve", {"solve.start_cost": "2.5"}).start_cost == 2.5
    with pytest.raises(ConfigError, match=r"only takes settings of \[solve\]"):
        replace_settings(SolveParams(), "solve", {"train.seed": "1"})
    with pytest.raises(ConfigError, match=r"--set: unknown setting solve\.start"):
        replace_settings(SolveParams(), "solve", {"solve.start": "1"})
    with pytest.raises(ConfigError, match=r"--set: solve\.gap .* greater than or equal to 0"):
        replace_settings(SolveParams(), "solve", {"solve.gap": "-1"})
