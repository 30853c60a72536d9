"""Where the tables of a run are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, PlainValidator
from pydantic.dataclasses import dataclass

from morula.store.address import StoreUrl


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", use_attribute_docstrings=True))
class StoreParams:
    """Where the tables of a run are kept; results do not depend on it."""

    url: Annotated[str, PlainValidator(StoreUrl.parse, json_schema_input_type=str)] | None = None
    """Address of a PostgreSQL database, ``postgresql://user@host/database``, that many machines and runs may share;
    ``sqlite``, and not set, mean a file in the run directory. A password belongs into ``~/.pgpass``, ``PGPASSWORD`` or
    the address in ``MORULA_STORE``; one that is written here is used, and shown nowhere."""
