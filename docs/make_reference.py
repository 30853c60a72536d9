"""Writes docs/commands.md and docs/configuration.md from the code: commands and settings are explained where they are.

python docs/make_reference.py            write both pages
python docs/make_reference.py --check    only say whether they are up to date (exit code 1 if not)
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path, PurePath
from typing import get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from typer.models import ArgumentInfo, OptionInfo

from morula.cli.app import app
from morula.config import RunConfig
from morula.synthetic.params import SyntheticParams

DOCS = Path(__file__).resolve().parent

_COMMANDS_HEAD = """\
# Commands

<!-- Written by docs/make_reference.py from the code. Do not edit: change the help texts there and run the script. -->

`morula --help` lists the commands, `morula COMMAND --help` explains one. Results go to stdout; messages and progress
bars go to stderr. With `--json` a command prints one JSON object on stdout and nothing else there.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | an error, with its likely cause and what to do |
| 2 | the command was not written correctly |
| 3 | some blocks of the movie failed; the others are kept, and the same command repeats only the failed ones |
| 130 | interrupted with Ctrl-C; the same command goes on from there |

`--set table.name=value` changes one setting for this call, without changing the configuration file. The value is
written as in TOML: `--set solve.start_cost=4`, `--set train.target_sigma_um=[2.0,1.3,1.3]`. All settings are explained
in [Configuration](configuration.md).
"""

_CONFIGURATION_HEAD = """\
# Configuration

<!-- Written by docs/make_reference.py from the code. Do not edit: change the docstrings there and run the script. -->

A run is described by one TOML file. `morula init` writes it for you: it measures your movie, fills in lengths that fit
your nuclei, and writes the explanation of every setting above it. You can edit the file, or change single settings
with `--set table.name=value`. A change re-runs only the stages it touches.

A setting that does not exist, or a value out of range, is refused before anything is computed. All lengths are in µm,
three numbers are in the order z, y, x, and frames are counted from 0.
"""

_SYNTHETIC_HEAD = """\
## Settings of synthetic embryos

These are no part of a run. `morula synthetic` takes them with `--set`, for example `--set render.photons=40`.
"""


def main() -> int:
    """Write the pages, or compare them with the code."""
    pages = {"commands.md": format_commands(), "configuration.md": format_configuration()}
    if "--check" in sys.argv[1:]:
        old = [name for name, text in pages.items() if (DOCS / name).read_text(encoding="utf-8") != text]
        sys.stderr.writelines(f"docs/{name} is not up to date: run python docs/make_reference.py\n" for name in old)
        return int(bool(old))
    for name, text in pages.items():
        (DOCS / name).write_text(text, encoding="utf-8")
    return 0


def tables() -> list[tuple[str, type]]:
    """Name and class of every table of a run's configuration and of synthetic embryos."""
    return [*_tables(RunConfig), *_tables(SyntheticParams)]


def format_commands() -> str:
    """Return the page of commands."""
    commands = [(info.name, info.callback) for info in app.registered_commands]
    parts = [_COMMANDS_HEAD]
    parts += [_format_command(str(name), callback) for name, callback in commands if callback is not None]
    return "\n".join(parts)


def format_configuration() -> str:
    """Return the page of settings."""
    parts = [_CONFIGURATION_HEAD]
    parts += [_format_table(name, table) for name, table in _tables(RunConfig)]
    parts.append(_SYNTHETIC_HEAD)
    parts += [_format_table(name, table, "###") for name, table in _tables(SyntheticParams)]
    return "\n".join(parts)


def _format_command(name: str, command: Callable[..., object]) -> str:
    described = list(_list_parameters(command))
    usage = " ".join(["morula", name, *(text for text, _, _, needed in described if needed)])
    lines = [f"## `morula {name}`", "", _plain(inspect.getdoc(command) or ""), "", "```text"]
    lines += [usage + (" [options]" if any(not needed for *_, needed in described) else ""), "```", ""]
    lines += ["| | | default |", "|---|---|---|"]
    lines += [f"| `{text}` | {help_text} | {default} |" for text, help_text, default, _ in described]
    return "\n".join(lines) + "\n"


def _list_parameters(command: Callable[..., object]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield each parameter as written, its help, its default in words, and whether it is needed."""
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        kind, info = get_args(hints[name])
        if not isinstance(info, ArgumentInfo | OptionInfo):
            raise TypeError(f"{name}: not described as an option or argument")
        needed = parameter.default is inspect.Parameter.empty
        if isinstance(info, ArgumentInfo):
            written = name.upper()
        else:
            names = (info.default, *(info.param_decls or ()))  # inside Annotated the name stands first
            option = next(text for text in names if isinstance(text, str) and text.startswith("--"))
            written = f"{option} {_placeholder(kind)}".rstrip()
        yield written, _plain(info.help or ""), "needed" if needed else _say_default(parameter.default), needed


def _placeholder(kind: object) -> str:
    """Return what stands for a value of this type: nothing for a switch, one word for each number of a triple."""
    kinds = [part for part in get_args(kind) if part is not type(None)]
    if get_origin(kind) is tuple:
        return "Z Y X"
    if get_origin(kind) is list:
        return _placeholder(kinds[0])
    if kinds:
        return _placeholder(kinds[0])
    return {bool: "", int: "N", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT") if isinstance(kind, type) else "TEXT"


def _tables(config: type) -> list[tuple[str, type]]:
    hints = get_type_hints(config)
    return [(field.name, hints[field.name]) for field in fields(config) if is_dataclass(hints[field.name])]


def _format_table(name: str, table: type, heading: str = "##") -> str:
    schema = TypeAdapter(table).json_schema()["properties"]
    lines = [f"{heading} `[{name}]`", "", _plain(inspect.getdoc(table) or ""), ""]
    lines += ["| setting | default | allowed | meaning |", "|---|---|---|---|"]
    for field in fields(table):
        described = schema[field.name]
        default = "needed" if field.default is MISSING else _say_setting(_default_of(field.default))
        meaning = _plain(str(described.get("description", "")))
        lines.append(f"| `{field.name}` | {default} | {_say_range(described)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default_of(default: object) -> object:
    """Unpack pydantic's field description, which stands in the place of the default."""
    return getattr(default, "default", default)


def _say_default(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, PurePath):
        return f"`{value.as_posix()}`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def _say_setting(value: object) -> str:
    """Return a default as it is written in the TOML file."""
    if value is None:
        return "not set"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else _say_default(value)


_COUNTS = {2: "two", 3: "three"}


def _say_range(described: dict[str, object]) -> str:
    """Put the limits of a JSON schema into words."""
    options = described.get("anyOf")
    if isinstance(options, list):
        return _say_range(options[0])
    if "enum" in described and isinstance(described["enum"], list):
        return " or ".join(f"`{value}`" for value in described["enum"])
    if described.get("type") == "boolean":
        return "`true` or `false`"
    if described.get("type") == "array":
        items = described.get("items")
        of_texts = isinstance(items, dict) and items.get("type") == "string"
        fixed = described.get("prefixItems")
        if isinstance(fixed, list):
            return f"{_COUNTS[len(fixed)]} numbers"
        return f"a list of {'texts' if of_texts else 'numbers'}"
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {described[key]:g}" for key, sign in words.items() if key in described]
    whole = ["whole number"] if described.get("type") == "integer" else []
    return ", ".join([*whole, *limits]) or {"string": "text"}.get(str(described.get("type")), "any number")


def _plain(text: str) -> str:
    """Make one line of Markdown of a docstring."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
