"""The configuration of a run: one frozen table per stage, in pipeline order, from and to TOML.

Owns names, defaults and their explanation in the file. What a setting means is said where the stage defines it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any, get_type_hints

import tomlkit
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from morula.candidates.params import CandidatesParams
from morula.detect.params import DetectParams
from morula.engine.params import ClusterParams
from morula.errors import ConfigError
from morula.evaluate.params import EvaluateParams
from morula.measure.params import DriftParams
from morula.solve.params import SolveParams
from morula.store.params import StoreParams
from morula.train.params import TrainParams
from morula.tune.params import TuneParams

_STRICT = ConfigDict(extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
_LONGEST_VALUE = 80


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class MovieConfig:
    """The movie."""

    path: str
    """OME-Zarr folder or address, TIFF file, folder of TIFF files, or a pattern like ``movie/T*.tif``; relative to the
    configuration file."""
    axes: str | None = None
    """Axes of the file, such as ``TZYX`` or ``TCZYX``, where it does not name them rightly."""
    channel: int = Field(default=0, ge=0)
    """Channel with the nuclei, counted from 0."""
    level: int = Field(default=0, ge=0)
    """Resolution level of a multiscale movie, 0 is the finest."""
    voxel_size_um: tuple[float, float, float] | None = None
    """Voxel size in µm, order z, y, x, where the file does not say it."""
    frame_interval_s: float | None = Field(default=None, gt=0)
    """Time between frames in seconds, where the file does not say it."""
    mask: str | None = None
    """Foreground mask, a movie of the same shape; nothing is detected where it is 0."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class AnnotationsConfig:
    """Track points made by hand (CSV, GEFF, linajea text, MaMuT XML, .mastodon); paths relative to this file."""

    train: str | None = None
    """Tracks to learn from; needed unless ``model.weights`` names a trained network."""
    val: str | None = None
    """Other tracks, to validate training and to tune the cost weights on."""
    truth: str | None = None
    """All cells, where they are known (a synthetic embryo): used for the final figures only."""
    pins: str | None = None
    """Corrections made after a look at the report: a table of cells and links that must be taken or left, each meaning
    the detection within ``evaluate.max_distance_um`` of its place. Positions in µm, whatever `unit_um`. Its content
    counts: a change of it solves again."""
    unit_um: float = Field(default=1.0, gt=0)
    """Length of one unit of the track files in µm."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class ModelConfig:
    """A network trained before, on a movie like this one."""

    weights: str | None = None
    """Weights to use instead of training: ``model/train.safetensors`` of another run; relative to this file."""


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class RunConfig:
    """Everything a run needs, one table per stage."""

    movie: MovieConfig
    annotations: AnnotationsConfig
    model: ModelConfig = Field(default_factory=ModelConfig)
    drift: DriftParams = Field(default_factory=DriftParams)
    train: TrainParams = Field(default_factory=TrainParams)
    detect: DetectParams = Field(default_factory=DetectParams)
    candidates: CandidatesParams = Field(default_factory=CandidatesParams)
    tune: TuneParams = Field(default_factory=TuneParams)
    solve: SolveParams = Field(default_factory=SolveParams)
    evaluate: EvaluateParams = Field(default_factory=EvaluateParams)
    store: StoreParams = Field(default_factory=StoreParams)
    cluster: ClusterParams = Field(default_factory=ClusterParams)


def read_config(path: Path, overrides: Mapping[str, str] | None = None) -> RunConfig:
    """Read a configuration; paths in it become absolute.

    Parameters
    ----------
    path
        TOML file.
    overrides
        Settings that win over the file: ``{"solve.start_cost": "4"}``, values written as in TOML.

    Raises
    ------
    ConfigError
        If the file is missing or not TOML, a key is unknown or a value out of range; the message names the key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no configuration here.", fix="write one with `morula init`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: this is not a TOML file: {error}.",
            cause="a slip in the line named, or a file of another kind",
            fix="repair it, or write a new configuration with `morula init`",
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: this cannot be read: {error.strerror}.", fix="give a file you may read") from None
    for key, text in (overrides or {}).items():
        override_values(values, key, text)
    config = build_config(values, str(path))
    return _with_absolute_paths(config, path.resolve().parent)


def build_config(values: Mapping[str, object], name: str = "configuration") -> RunConfig:
    """Build a configuration from plain values.

    Raises
    ------
    ConfigError
        As `read_config`.
    """
    try:
        return TypeAdapter(RunConfig).validate_python(values)
    except ValidationError as error:
        raise _explain(error, name) from None


def replace_settings(params: Any, table: str, overrides: Mapping[str, str]) -> Any:
    """Return the parameters of one stage with some settings replaced, each key written ``table.name``.

    Raises
    ------
    ConfigError
        If a key is unknown, of another table, or its value is out of range.
    """
    values: dict[str, object] = {table: plain_values(params)}
    for key, text in overrides.items():
        override_values(values, key, text)
    unknown = set(values) - {table}
    if unknown:
        raise ConfigError(f"--set {unknown.pop()}.…: this command only takes settings of [{table}].")
    try:
        return TypeAdapter(type(params)).validate_python(values[table])
    except ValidationError as error:
        raise _explain(error, "--set", prefix=table) from None


def plain_values(params: object) -> dict[str, object]:
    """Return the settings of a table, or tables, as plain values."""
    plain = {}
    for field in fields(params):  # type: ignore[arg-type]
        value = getattr(params, field.name)
        plain[field.name] = plain_values(value) if is_dataclass(value) else value
    return plain


def list_result_settings(config: RunConfig) -> dict[str, object]:
    """Return the settings that results may depend on, as plain values: all but ``[store]``, ``[cluster]``."""
    return {name: values for name, values in plain_values(config).items() if name not in ("store", "cluster")}


def format_config(config: RunConfig, reasons: Mapping[str, str] | None = None) -> str:
    """Write a configuration as TOML, every setting with its explanation above it.

    Parameters
    ----------
    config
        What to write.
    reasons
        Where a value comes from, by key: ``{"detect.window_um": "1.4 half-widths"}``.
    """
    document = tomlkit.document()
    for table_field in fields(config):
        params = getattr(config, table_field.name)
        table = tomlkit.table()
        for line in _wrapped(_first_paragraph(type(params).__doc__ or "")):
            table.add(tomlkit.comment(line))
        kind: type = type(params)
        descriptions = describe_settings(kind)
        for name, value in plain_values(params).items():
            table.add(tomlkit.nl())
            notes = [descriptions[name]]
            reason = (reasons or {}).get(f"{table_field.name}.{name}")
            if reason:
                notes.append(f"Measured: {reason}.")
            for note in notes:
                for line in _wrapped(note):
                    table.add(tomlkit.comment(line))
            if value is None:
                table.add(tomlkit.comment(f"{name} = (not set)"))
            else:
                table.add(name, list(value) if isinstance(value, tuple) else value)
        document.add(table_field.name, table)
    return tomlkit.dumps(document)


@cache
def describe_settings(table: type) -> dict[str, str]:
    """Return what each setting of a table means, by name: the docstring under it, on one line."""
    properties = TypeAdapter(table).json_schema()["properties"]
    texts = {name: str(schema.get("description", "")) for name, schema in properties.items()}
    return {name: " ".join(text.split()).replace("``", "`") for name, text in texts.items()}


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split()).replace("``", "`")


def _wrapped(text: str) -> list[str]:
    return wrap(text, 110)


def override_values(values: dict[str, object], key: str, text: str) -> None:
    """Set ``table.name`` in nested plain values to a value written as in TOML."""
    table, _, name = key.partition(".")
    if not name:
        raise ConfigError(f"--set {key}={text}: a setting is written table.name=value.", fix="--set solve.start_cost=4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    inner = values.setdefault(table, {})
    if not isinstance(inner, dict):
        raise ConfigError(f"--set {key}: {table} is not a table.")
    inner[name] = value


def _with_absolute_paths(config: RunConfig, folder: Path) -> RunConfig:
    def absolute(path: str | None) -> str | None:
        return path if path is None or "://" in path else str(folder / path)

    model = replace(config.model, weights=absolute(config.model.weights))
    movie = replace(config.movie, path=absolute(config.movie.path), mask=absolute(config.movie.mask))  # type: ignore[arg-type]
    tracks = {name: absolute(getattr(config.annotations, name)) for name in ("train", "val", "truth", "pins")}
    return replace(config, movie=movie, model=model, annotations=replace(config.annotations, **tracks))  # type: ignore[arg-type]


def _explain(error: ValidationError, name: str, prefix: str = "") -> ConfigError:
    first = error.errors()[0]
    place = [prefix] * bool(prefix) + [str(part) for part in first["loc"]]
    key, value = ".".join(place), first["input"]
    own = first.get("ctx", {}).get("error")
    if isinstance(own, ConfigError):  # a check of the table itself
        return ConfigError(f"{name}: {own.what}", measured=own.measured, cause=own.cause, fix=own.fix)
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = _known_keys(place[:-1])
        close = difflib.get_close_matches(place[-1], known, n=1)
        fix = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
        return ConfigError(f"{name}: unknown setting {key}.", fix=fix)
    if first["type"] == "missing" and isinstance(first["loc"][-1], int):
        listed = ".".join(place[:-1])
        return ConfigError(f"{name}: {listed} needs more values.", measured=f"{listed} = {list(value)!r}")
    if first["type"] in ("missing", "missing_argument"):
        fix = f"add it to the table [{place[0]}]" if len(place) > 1 else f"add the table [{key}]"
        return ConfigError(f"{name}: {key} is missing.", fix=fix)
    if first["type"] in ("dataclass_type", "dataclass_exact_type"):
        return ConfigError(f"{name}: {key} is a table, not a value.", fix=f"write [{key}] and the settings below it")
    shown = repr(value)
    return ConfigError(
        f"{name}: {key} has a value that is not possible: {first['msg'][:1].lower()}{first['msg'][1:]}.",
        measured=f"{key} = {shown if len(shown) <= _LONGEST_VALUE else shown[:_LONGEST_VALUE] + '…'}",
        fix="see the explanation above this setting in a file written by `morula init`",
    )


def _known_keys(place: list[str]) -> list[str]:
    """Return the settings of a table, or the tables."""
    tables = {field.name: get_type_hints(RunConfig)[field.name] for field in fields(RunConfig)}
    return [field.name for field in fields(tables[place[0]])] if place and place[0] in tables else list(tables)
