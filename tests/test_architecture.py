"""The layout and the habits of the source, as far as a machine can read them: arrows, sizes, what is forbidden."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import morula.errors
from morula.errors import MorulaError

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "morula"
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES, MOST_FUNCTION_LINES, MOST_ARGUMENTS = 300, 60, 8
MANY_OPTIONS = {"init", "plan", "run", "evaluate", "synthetic"}
"""Commands: typer makes their options from their arguments."""


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    return tuple((name(path), ast.parse(path.read_text(encoding="utf-8"))) for path in FILES)


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{file}:{node.lineno} {node.name}", node


def test_imports_point_the_way_the_contracts_say() -> None:
    """In a process of its own: the linter switches off the loggers of the process it runs in."""
    linter = Path(sys.executable).parent / "lint-imports"
    said = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


def test_every_module_says_what_it_is_for() -> None:
    assert [file for file, tree in trees() if not ast.get_docstring(tree)] == []


def test_no_file_is_too_long_to_be_read() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {file: lines for file, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_too_long_to_be_understood() -> None:
    def body_lines(node: ast.FunctionDef) -> int:
        first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
        return (node.end_lineno or 0) - first.lineno + 1

    assert [place for place, node in functions() if body_lines(node) > MOST_FUNCTION_LINES] == []


def test_no_function_takes_more_arguments_than_one_remembers() -> None:
    def count(node: ast.FunctionDef) -> int:
        named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return len([argument for argument in named if argument.arg not in ("self", "cls")])

    many = [place for place, node in functions() if count(node) > MOST_ARGUMENTS and node.name not in MANY_OPTIONS]
    assert many == []


def test_input_is_never_checked_by_an_assertion() -> None:
    assert [
        f"{file}:{node.lineno}" for file, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Assert)
    ] == []


def test_no_error_is_swallowed() -> None:
    def is_silent(handler: ast.ExceptHandler) -> bool:
        caught = ast.unparse(handler.type) if handler.type else "Exception"
        does = [node for node in handler.body if not isinstance(node, ast.Pass)]
        return caught in ("Exception", "BaseException") and not does

    silent = [
        f"{file}:{node.lineno}"
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and is_silent(node)
    ]
    assert silent == []


def test_nothing_is_left_to_do() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b(?!\s*,)")
    library = re.compile(r"_ERRORS = \(|except .*NotImplementedError")  # what other libraries raise may be caught
    found = [
        f"{name(path)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if unfinished.search(line) and not library.search(line)
    ]
    assert found == []


def test_no_name_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base", "manager"}
    assert [name(path) for path in SOURCE.rglob("*") if path.stem.strip("_") in empty] == []


def test_packages_begin_with_a_docstring_and_nothing_else() -> None:
    own = SOURCE / "__init__.py"
    full = [path for path in FILES if path.name == "__init__.py" and path != own]
    assert len(full) > 10
    assert [name(path) for path in full if len(ast.parse(path.read_text(encoding="utf-8")).body) != 1] == []


def test_the_library_warns_through_its_log_and_the_command_line_alone_writes_to_the_terminal() -> None:
    def calls(tree: ast.Module) -> set[str]:
        return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}

    said = {file: calls(tree) & {"print", "warnings.warn", "typer.echo", "sys.stdout.write"} for file, tree in trees()}
    assert {file: words for file, words in said.items() if words and not file.startswith("cli/")} == {}


def test_the_tree_of_errors_is_the_one_drawn() -> None:
    drawn = set(re.findall(r"^[\s│├└─]*(\w+Error)\b", morula.errors.__doc__ or "", re.MULTILINE))
    classes = {
        error.__name__: error
        for error in vars(morula.errors).values()
        if isinstance(error, type) and issubclass(error, MorulaError)
    }
    assert drawn == set(classes)
    assert [error for error, kind in classes.items() if not kind.__doc__] == []
    natural = {error: kind.__mro__ for error, kind in classes.items() if kind is not MorulaError}
    assert [error for error, mro in natural.items() if not set(mro) & {ValueError, OSError, RuntimeError}] == []


def test_tests_mirror_the_packages() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.rglob("test_*.py"))}
    assert packages - tested == set()
