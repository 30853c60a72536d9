"""The tables of a store, and whether a file is one.

Owns the table definitions and the version of this format. Refuses files of other programs and of other formats.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from morula import __version__
from morula.errors import StoreError, StoreVersionError
from morula.store.connection import connect_for_writing, explained_sqlite_errors, write_transaction
from morula.store.disk import explained_disk_errors, sync_folder

SCHEMA_VERSION = 2
"""Raise it when a table changes its columns or their meaning."""

APPLICATION_ID = 0x6D6F7275
"""What SQLite's header says about whose file this is: "moru"."""

_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE stages (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, settings TEXT NOT NULL,
        after TEXT NOT NULL, files TEXT NOT NULL, n_blocks INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
        started REAL NOT NULL, finished REAL, seconds REAL NOT NULL DEFAULT 0, error TEXT, summary TEXT)""",
    """CREATE TABLE blocks (
        stage INTEGER NOT NULL, block INTEGER NOT NULL, name TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('done', 'failed')),
        attempts INTEGER, seconds REAL NOT NULL, finished REAL NOT NULL, error TEXT,
        PRIMARY KEY (stage, block)) WITHOUT ROWID""",
    """CREATE TABLE detections (
        id INTEGER PRIMARY KEY, stage INTEGER NOT NULL, block INTEGER NOT NULL, t INTEGER NOT NULL,
        z REAL NOT NULL, y REAL NOT NULL, x REAL NOT NULL, score REAL NOT NULL,
        movement_z REAL NOT NULL, movement_y REAL NOT NULL, movement_x REAL NOT NULL)""",
    "CREATE INDEX detections_by_block ON detections (stage, block)",
    "CREATE INDEX detections_by_frame ON detections (stage, t)",
    """CREATE TABLE graphs (
        stage INTEGER PRIMARY KEY, detections_stage INTEGER NOT NULL,
        n_nodes INTEGER NOT NULL, n_edges INTEGER NOT NULL)""",
    """CREATE TABLE edges (
        id INTEGER PRIMARY KEY, stage INTEGER NOT NULL, parent INTEGER NOT NULL, child INTEGER NOT NULL,
        distance REAL NOT NULL)""",
    """CREATE TABLE selections (
        stage INTEGER PRIMARY KEY, graph_stage INTEGER NOT NULL, n_nodes INTEGER NOT NULL, n_edges INTEGER NOT NULL,
        node_selected BLOB NOT NULL, edge_selected BLOB NOT NULL, objective REAL NOT NULL, lower_bound REAL NOT NULL,
        status TEXT NOT NULL, seconds REAL NOT NULL)""",
    """CREATE TABLE block_selections (
        stage INTEGER NOT NULL, block INTEGER NOT NULL, n_nodes INTEGER NOT NULL, n_edges INTEGER NOT NULL,
        node_selected BLOB NOT NULL, edge_selected BLOB NOT NULL, objective REAL NOT NULL, lower_bound REAL NOT NULL,
        status TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (stage, block)) WITHOUT ROWID""",
    """CREATE TABLE block_counts (
        stage INTEGER NOT NULL, block INTEGER NOT NULL, count INTEGER NOT NULL,
        PRIMARY KEY (stage, block)) WITHOUT ROWID""",
    """CREATE TABLE confidences (
        stage INTEGER PRIMARY KEY, selection_stage INTEGER NOT NULL, lower_bound REAL NOT NULL, basis TEXT NOT NULL,
        node_margin BLOB NOT NULL, edge_margin BLOB NOT NULL, past_margin BLOB NOT NULL, past_right BLOB NOT NULL)""",
)

STAGE_TABLES = (
    "blocks",
    "detections",
    "graphs",
    "edges",
    "selections",
    "block_selections",
    "block_counts",
    "confidences",
)
"""Tables whose rows belong to a stage and go when it runs anew."""


def create_store(path: Path) -> None:
    """Make an empty store; it appears under its name complete, or not at all.

    Raises
    ------
    DiskError
        If the disk is full or does not let us write.
    """
    part = path.with_name(f".{path.name}.part")
    with explained_disk_errors(path):
        for left_over in (part, *(part.with_name(part.name + end) for end in ("-wal", "-shm", "-journal"))):
            left_over.unlink(missing_ok=True)
    connection = connect_for_writing(part, busy_timeout_s=0.0)
    try:
        with write_transaction(connection, path):
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('morula_version', ?)", (__version__,))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        with explained_sqlite_errors(path):
            connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    with explained_disk_errors(path):
        part.replace(path)
        sync_folder(path.parent)


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Check that a file is a store of this format.

    Raises
    ------
    StoreError
        If the file is damaged or belongs to another program.
    StoreVersionError
        If another version of morula wrote it in another format.
    """
    with explained_sqlite_errors(path):
        owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if owner != APPLICATION_ID:
            raise StoreError(
                f"{path}: this file was not made by morula.",
                measured=f"application id {owner:#x}, a store has {APPLICATION_ID:#x}",
                cause="an empty file or another program's database lies in the run directory",
                fix="move it away, or give another --run-dir",
            )
        if version != SCHEMA_VERSION:
            writer = connection.execute("SELECT value FROM meta WHERE key = 'morula_version'").fetchone()
            raise _describe_version(path, version, "of unknown version" if writer is None else str(writer[0]))


def _describe_version(path: Path, version: int, writer: str) -> StoreVersionError:
    newer = version > SCHEMA_VERSION
    return StoreVersionError(
        f"{path}: this store was written by another version of morula.",
        measured=f"store format {version}, written by morula {writer}; "
        f"this is morula {__version__} with store format {SCHEMA_VERSION}",
        cause="the run was started with a newer morula" if newer else "morula was updated since the run was started",
        fix=f"install morula {writer} to go on with this run, or give another --run-dir to start afresh",
    )
