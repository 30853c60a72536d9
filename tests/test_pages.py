"""The pages hang together: links lead somewhere, generated pages are up to date, what is named exists."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "design").glob("*.md")])


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """Return the program that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_settings_named_in_the_text_exist(reference: ModuleType) -> None:
    tables: dict[str, set[str]] = {}
    for name, kind in reference.tables():
        tables.setdefault(name, set()).update(field.name for field in reference.fields(kind))
    for page in PAGES:
        for table, name in re.findall(r"`(?:--set )?([a-z]+)\.([a-z_]+)(?:=[^`]*)?`", page.read_text(encoding="utf-8")):
            is_file = name in {"csv", "json", "py", "sqlite", "toml"}
            assert is_file or table not in tables or name in tables[table], f"{page.name}: {table}.{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        place, _, anchor = target.partition("#")
        linked = (page.parent / place) if place else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in _anchors(linked), f"{page.name} links to {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_pages_are_up_to_date(reference: ModuleType) -> None:
    for name, text in (
        ("commands.md", reference.format_commands()),
        ("configuration.md", reference.format_configuration()),
    ):
        assert (DOCS / name).read_text(encoding="utf-8") == text, "run python docs/make_reference.py"


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
    named = {name for page in pages for name in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_architecture_names_every_module_folder() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "morula"
    parts = [f"{path.name}/" if path.is_dir() else path.name for path in package.iterdir()]
    parts = [part for part in parts if not part.startswith("_") and part != "py.typed"]
    assert [part for part in parts if f"`{part}`" not in text] == []
    named = set(re.findall(r"`(?:src/morula/)?([\w/]+\.py)`", text))
    missing = {name for name in named if not any((base / name).exists() for base in (package, ROOT))}
    assert missing == {"params.py"}, "every stage has one of these"


def test_the_architecture_shows_the_enforced_layers() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(rule["layers"] for rule in rules if rule["type"] == "layers")
    assert "```text\n" + "\n".join(layers) + "\n```" in (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_decisions_are_numbered_and_listed_and_name_files_that_exist() -> None:
    pages = sorted((ROOT / "design").glob("[0-9]*.md"))
    listed = re.findall(r"\[(\d{4})\]\((\S+)\) \| (.*) \|", (ROOT / "design" / "README.md").read_text(encoding="utf-8"))
    assert [page.name for page in pages] == [name for _, name, _ in listed]
    for number, (page, (shown, _, title)) in enumerate(zip(pages, listed, strict=True), start=1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04d}-")
        assert shown == f"{number:04d}"
        assert text.startswith(f"# {number:04d}: {title}\n")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:3] == ["Problem", "Choice", "Rejected"]
        for name in re.findall(r"`([\w/]+\.py)`", text):
            assert (ROOT / "src" / "morula" / name).exists() or (ROOT / name).exists(), f"{page.name}: {name}"


def test_programs_named_on_the_pages_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"python ((?:benchmarks|docs|examples)/[\w/]+\.py)", page.read_text(encoding="utf-8")):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_the_picture_is_there_and_small() -> None:
    picture = DOCS / "images" / "demo.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 400_000
