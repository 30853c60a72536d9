"""The address of a database that keeps a store, with its password out of sight.

Owns how ``postgresql://user:password@host/database`` is read, that the password is in no text made from it, and where a
password is looked for. Opens nothing.
"""

from __future__ import annotations

import os
import re
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from morula.errors import ConfigError

ENVIRONMENT = "MORULA_STORE"
"""Environment variable with an address: for new runs that name none, and for the password of those that name it."""

EMBEDDED = "sqlite"
"""The word for no database server: one SQLite file in the run directory."""

_SCHEMES = ("postgresql", "postgres")
_USUAL_PORT = 5432
_SPELLED = "postgresql://user@host:5432/database"
_IN_TEXT = re.compile(r"(\bpostgres(?:ql)?://[^\s:/@]*):\S*@|(\b\w+://[^\s:/@]*):[^\s/@]*@|(password=)[^\s&]+")


class StoreUrl(str):
    """The address of a store as text without any password; what was taken out is kept beside it.

    Copies by pickle, and every text made from it, know the address only.

    Examples
    --------
    >>> StoreUrl.parse("postgres://ada:s3cret@db.lab:5432/embryos?sslmode=require")
    'postgresql://ada@db.lab/embryos?sslmode=require'
    """

    _secrets: dict[str, str]

    def __new__(cls, text: str, secrets: dict[str, str] | None = None) -> Self:
        """Take a text without secrets, and the secrets."""
        made = super().__new__(cls, text)
        made._secrets = secrets or {}
        return made

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read an address.

        Raises
        ------
        ConfigError
            If it is none; the message shows nothing of it, because anything may be the password.
        """
        if isinstance(text, cls):
            return text
        if text == EMBEDDED:
            return cls(EMBEDDED)
        try:
            parts = urlsplit(str(text))
            port = parts.port
        except ValueError:
            raise _describe_bad("its port is no number") from None
        if parts.scheme not in _SCHEMES:
            raise _describe_bad(f"it does not begin with {_SCHEMES[0]}://")
        if parts.fragment or "@" in parts.path + parts.query:
            raise _describe_bad("a sign in the password stands for something else")
        return cls(*_take_secrets_out(parts, port))

    @property
    def has_password(self) -> bool:
        """Whether a password, or something like it, was in the address."""
        return bool(self._secrets)

    def list_settings(self) -> dict[str, str]:
        """Return what libpq's connection parameters are, secrets included: for opening a connection and nothing else.

        Where the address has no password, one of the same address in the environment is used.
        """
        parts = urlsplit(str(self))
        named = {
            "user": unquote(parts.username or ""),
            "host": unquote(parts.hostname or ""),
            "port": str(parts.port or ""),
            "dbname": unquote(parts.path.removeprefix("/")),
        }
        given = {name: value for name, value in named.items() if value} | dict(parse_qsl(parts.query))
        return given | (self._secrets or self._find_secrets())

    def _find_secrets(self) -> dict[str, str]:
        around = os.environ.get(ENVIRONMENT, "")
        other = StoreUrl.parse(around) if around else self
        return other._secrets if other == self else {}

    def __reduce__(self) -> tuple[object, ...]:
        return (StoreUrl, (str(self),))


def hide_passwords(text: str) -> str:
    """Return a text with the passwords of all addresses in it taken out: the net under everything that is shown.

    Examples
    --------
    >>> hide_passwords("cannot use postgresql://ada:s3cret@db.lab/embryos")
    'cannot use postgresql://ada:***@db.lab/embryos'
    """
    return _IN_TEXT.sub(lambda found: f"{found[3]}***" if found[3] else f"{found[1] or found[2]}:***@", text)


def _take_secrets_out(parts: SplitResult, port: int | None) -> tuple[str, dict[str, str]]:
    query = parse_qsl(parts.query, keep_blank_values=True)
    secrets = {name: value for name, value in query if "password" in name.lower()}
    if parts.password is not None:
        secrets["password"] = unquote(parts.password)
    user = f"{parts.username}@" if parts.username else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    shown_port = f":{port}" if port not in (None, _USUAL_PORT) else ""
    rest = urlencode([(name, value) for name, value in query if name not in secrets], safe="/", quote_via=quote)
    text = f"{_SCHEMES[0]}://{user}{host}{shown_port}{parts.path}" + (f"?{rest}" if rest else "")
    return text, secrets


def _describe_bad(reason: str) -> ConfigError:
    return ConfigError(
        f"this address of a store cannot be used: {reason}.",
        cause="a slip, or a password with one of the signs @ : / ? # % in it",
        fix=f"write {_SPELLED}, with %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #, %25 for %; "
        "or leave the password to ~/.pgpass",
    )
