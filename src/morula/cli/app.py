"""The commands, in the order of the pipeline, and how a command ends.

Exit codes: 0 done, 1 an error morula explains, 2 wrong usage, 3 some blocks failed and can be resumed, 130 interrupted.
Owns nothing else: what a command does stands in `runs` (run directories), `plans` and `files` (single files).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NoReturn

import typer

from morula import __version__
from morula.cli import files, plans, runs
from morula.cli.console import messages_on_stderr
from morula.errors import MorulaError
from morula.store.address import hide_passwords

_INTERRUPTED = 130
_COMMANDS: dict[str, Callable[..., None]] = {
    "init": runs.init,
    "plan": plans.plan,
    "run": runs.run,
    "train": runs.make_stage_command("train", "Learn the network from the annotations."),
    "detect": runs.make_stage_command("detect", "Find the nuclei of every frame."),
    "candidates": runs.make_stage_command("candidates", "Offer possible links between detections."),
    "tune": runs.make_stage_command("tune", "Choose the cost weights on the validation annotations."),
    "solve": files.solve,
    "evaluate": files.evaluate,
    "export": runs.export,
    "report": runs.make_stage_command("report", "Write the report page."),
    "status": runs.status,
    "synthetic": files.synthetic,
    "demo": runs.demo,
}

app = typer.Typer(
    name="morula",
    help="Cell lineages of whole embryos from light-sheet movies, learned from a few clicked tracks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line (that of the process by default) and end with its exit code."""
    sys.exit(execute_command(arguments))


def execute_command(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; errors of morula become one message on stderr."""
    with messages_on_stderr():
        try:
            app(args=None if arguments is None else list(arguments), prog_name="morula")
        except MorulaError as error:
            typer.echo(hide_passwords(f"{type(error).__name__}: {error}"), err=True)
            return error.exit_code
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if code == _INTERRUPTED:
                typer.echo("interrupted: what was finished is kept, the same command goes on from there", err=True)
            return code
    return 0


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _take_common_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Cell lineages of whole embryos from light-sheet movies, learned from a few clicked tracks."""
