"""The names of the files in a run directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from morula.errors import StoreError
from morula.store.disk import explained_disk_errors


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Where the files of a run lie.

    Parameters
    ----------
    path
        The run directory.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The configuration with every default written out."""
        return self.path / "config.toml"

    @property
    def versions(self) -> Path:
        """Versions of morula, Python and the libraries."""
        return self.path / "versions.json"

    @property
    def log(self) -> Path:
        """What happened, for people."""
        return self.path / "morula.log"

    @property
    def model(self) -> Path:
        """Folder of the weights and of training checkpoints."""
        return self.path / "model"

    @property
    def store(self) -> Path:
        """The SQLite file."""
        return self.path / "store.sqlite"

    @property
    def note(self) -> Path:
        """Where the store is, if not here; see `places`."""
        return self.path / "store.json"

    @property
    def exports(self) -> Path:
        """Folder of exported lineages."""
        return self.path / "exports"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def lock(self) -> Path:
        """The lock file, see `RunLock`."""
        return self.path / "run.lock"

    def make_folder(self) -> None:
        """Create the run directory if there is none.

        Raises
        ------
        StoreError
            If there is a file in its place.
        DiskError
            If it cannot be created.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path}: this is a file, a run needs a folder.", fix="give --run-dir a folder")
        with explained_disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def relative_name(self, file: Path) -> str:
        """Return the name of a stage's file as seen from the run directory.

        Raises
        ------
        StoreError
            If it lies elsewhere, or is the run directory, its store or its lock: a stage may remove what it owns.
        """
        folder = Path(os.path.normpath(self.path.absolute()))
        full = Path(os.path.normpath(file.absolute()))
        protected = {folder, *(folder / path.name for path in (self.store, self.note, self.lock))}
        if not full.is_relative_to(folder) or full in protected:
            raise StoreError(
                f"{file}: this cannot be a result of a stage.",
                cause=f"results are files or folders inside the run directory {folder}",
                fix="write it there, and copy it elsewhere afterwards",
            )
        return full.relative_to(folder).as_posix()
