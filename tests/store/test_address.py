from __future__ import annotations

import copy
import pickle
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morula.errors import ConfigError
from morula.store.address import ENVIRONMENT, StoreUrl, hide_passwords

SECRET = "s3cret"
FULL = f"postgresql://ada:{SECRET}@db.lab:6543/embryos"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (FULL, "postgresql://ada@db.lab:6543/embryos"),
        (f"postgres://ada:{SECRET}@DB.lab:5432/embryos?sslmode=require", "postgresql://ada@db.lab/embryos?sslmode=require"),
        (f"postgresql://db.lab/embryos?password={SECRET}&user=ada", "postgresql://db.lab/embryos?user=ada"),
        (f"postgresql://db.lab/embryos?sslpassword={SECRET}", "postgresql://db.lab/embryos"),
        (f"postgresql://ada:{SECRET}@[::1]:77/embryos", "postgresql://ada@[::1]:77/embryos"),
        ("postgresql:///embryos?host=/run/postgresql", "postgresql:///embryos?host=/run/postgresql"),
    ],
)  # fmt: skip
def test_an_address_shows_no_password_whatever_is_made_of_it(written: str, shown: str) -> None:
    url = StoreUrl.parse(written)
    assert url == shown
    for text in (str(url), repr(url), f"{url}", f"{url!r}", url[:], repr([url]), repr(pickle.dumps(url))):
        assert SECRET not in text
    assert url.has_password == (SECRET in written)
    assert not pickle.loads(pickle.dumps(url)).has_password
    assert copy.deepcopy(url) == url
    assert StoreUrl.parse(url) is url


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1))
def test_a_password_of_any_signs_arrives_if_it_is_quoted(password: str) -> None:
    url = StoreUrl.parse(f"postgresql://ada:{quote(password, safe='')}@db.lab/embryos")
    assert url.list_settings() == {"user": "ada", "host": "db.lab", "dbname": "embryos", "password": password}
    assert url == "postgresql://ada@db.lab/embryos"


@given(st.sampled_from("@:/?#%[] \t\n"), st.sampled_from("@:/?#%[] \t\n"))
def test_a_password_that_is_not_quoted_never_shows_in_the_refusal(one: str, two: str) -> None:
    text = f"postgresql://ada:geh{one}eim{two}nis@db.lab/embryos"
    try:
        shown = str(StoreUrl.parse(text))
    except ConfigError as refusal:
        shown = str(refusal)
    assert not {"geh", "eim", "nis"} & {part for part in ("geh", "eim", "nis") if part in shown}


@pytest.mark.parametrize("text", ["mysql://a:s3cret@h/d", "postgresql://a:s3cret@h:port/d", "s3cret", "", 7, None])
def test_what_is_no_address_is_refused_without_showing_it(text: object) -> None:
    with pytest.raises(ConfigError, match="this address of a store cannot be used") as caught:
        StoreUrl.parse(text)
    assert SECRET not in str(caught.value)


def test_the_password_of_the_same_address_in_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, FULL)
    assert StoreUrl.parse("postgresql://ada@db.lab:6543/embryos").list_settings()["password"] == SECRET
    assert "password" not in StoreUrl.parse("postgresql://eve@db.lab:6543/embryos").list_settings()
    monkeypatch.setenv(ENVIRONMENT, "postgresql://ada@db.lab:6543/embryos")
    assert "password" not in StoreUrl.parse("postgresql://ada@db.lab:6543/embryos").list_settings()


def test_parameters_of_the_library_are_passed_on() -> None:
    url = StoreUrl.parse("postgresql://a%20da@/embryos?host=/tmp/s%20p&port=99&connect_timeout=3")
    assert url.list_settings() == {
        "user": "a da", "dbname": "embryos", "host": "/tmp/s p", "port": "99", "connect_timeout": "3",
    }  # fmt: skip


def test_passwords_are_taken_out_of_any_text() -> None:
    text = f"a {FULL} b postgresql://x?password={SECRET}&y=1 c postgres://u:p@{SECRET}@h d https://example.org:80/a@b"
    assert hide_passwords(text) == (
        "a postgresql://ada:***@db.lab:6543/embryos b postgresql://x?password=***&y=1 c postgres://u:***@h "
        "d https://example.org:80/a@b"
    )
