"""What importing costs, as the libraries it loads: a clock would depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files

LIBRARIES = {
    "torch", "zarr", "tensorstore", "geff", "highspy", "pydantic", "tifffile", "yaozarrs", "numpy", "scipy", "plotly",
    "jinja2", "safetensors", "tomlkit", "defusedxml", "PIL", "rich", "numba", "h5py", "networkx", "pandas", "sqlite3",
}  # fmt: skip
PACKAGES = sorted(
    "morula." + ".".join(place.relative_to(str(files("morula"))).parts[:-1])
    for place in files("morula").rglob("__init__.py")  # type: ignore[attr-defined]
    if place.parent.name != "morula"
)


HELP = """
import contextlib, io
from morula.cli.app import execute_command
with contextlib.redirect_stdout(io.StringIO()):
    execute_command(["--help"])
"""


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after some lines of code."""
    told = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_morula_and_its_packages_loads_no_library() -> None:
    assert len(PACKAGES) > 10
    loaded = loaded_by("import morula, " + ", ".join(package for package in PACKAGES if package != "morula.cli"))
    assert loaded & LIBRARIES == set()
    assert "typer" not in loaded


def test_the_help_of_the_command_line_loads_typer_only() -> None:
    loaded = loaded_by(HELP)
    assert "typer" in loaded
    assert loaded & (LIBRARIES - {"rich"}) == set()
