"""The log: what came in, who was given what, what was refused, published and decided; and that nobody edited it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.e2e.house import House, User
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside
from tests.upstream import Distribution, Tarball, make_tarball, make_wheel

PUBLIC: tuple[Distribution | Tarball, ...] = (
    make_wheel("eyebright", "1.0"),
    make_tarball("eyebright", "1.0.0"),
)


@pytest.fixture(scope="module", autouse=True)
def history(house: House, outside: Outside, alice: User, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A day in the life of an appliance."""
    outside.publish(*PUBLIC)
    for number in (1, 2):
        machine = Machine(tmp_path_factory.mktemp("machine") / str(number), house.url)
        machine.npm_token(alice.token)
        for client in ("pip", "npm"):
            machine.install(client, "eyebright").checked()
        if number == 1:
            login = ("-u", alice.name, "-p", alice.password)
            machine.twine(*login, *machine.dist(make_wheel("our-lamp", "1.0"))).checked()
            machine.npm("publish", folder=machine.package("@team/our-lamp", "1.0.0")).checked()
    house.registry("policy", "deny", "pypi", "eyebright", "--versions", "<0.5", "--reason", "old").checked()
    machine.install("pip", "reqeusts").refused()
    machine.install("npm", "loadsh").refused()


def rows(house: House, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [row["event"] for row in house.answer("audit", "log", *options)]
    return found


@pytest.mark.parametrize("ecosystem", ["pypi", "npm"])
def test_a_public_file_comes_in_once_and_goes_out_twice(ecosystem: str, house: House) -> None:
    (public,) = [each for each in PUBLIC if isinstance(each, Tarball) == (ecosystem == "npm")]
    ingests = rows(house, "--kind", "ingest", "--project", f"{ecosystem}:eyebright")
    (ingest,) = [row for row in ingests if row["filename"] == public.filename]
    assert {row["filename"] for row in ingests} <= {public.filename, f"{public.filename}.metadata"}
    deliveries = rows(house, "--kind", "delivery", "--project", f"{ecosystem}:eyebright")
    assert len(deliveries) == 2
    assert {row["sha256"] for row in (ingest, *deliveries)} == {hashlib.sha256(public.data).hexdigest()}
    assert {row["filename"] for row in deliveries} == {public.filename}
    assert all(("pip/" if ecosystem == "pypi" else "npm/") in row["agent"] for row in deliveries)


def test_npm_with_a_token_is_in_the_log_by_its_users_name(house: House) -> None:
    deliveries = rows(house, "--kind", "delivery", "--project", "npm:eyebright")
    assert {row["actor"] for row in deliveries} == {"alice"}
    assert len(rows(house, "--kind", "delivery", "--actor", "alice")) == 2


def test_publications_and_what_was_decided_are_rows(house: House) -> None:
    published = {
        (row["project"]["name"], row["version"], row["actor"]) for row in rows(house, "--kind", "publish")
    }
    assert published == {("our-lamp", "1.0", "alice"), ("@team/our-lamp", "1.0.0", "alice")}
    decided = rows(house, "--kind", "admin")
    assert {"user.add", "token.create"} <= {row["detail"].get("action") for row in decided}
    assert any("eyebright" in str(row) for row in decided)


def test_refusals_are_rows_with_the_rule(house: House) -> None:
    refused = {row["project"]["name"]: row for row in rows(house, "--kind", "refusal")}
    assert {"reqeusts", "loadsh"} <= refused.keys()


def test_who_was_given_a_package_is_one_question(house: House) -> None:
    given = {(row["project"]["ecosystem"], row["actor"]) for row in house.answer("audit", "who", "eyebright")}
    assert given == {("npm", "alice"), ("pypi", "anonymous@127.0.0.1")}
    assert "eyebright" in house.registry("audit", "who", "pypi:eyebright@1.0").checked().text
    assert house.answer("audit", "who", "pypi:eyebright@9.9") == []


def test_the_chain_of_the_log_is_whole(house: House) -> None:
    verified = house.answer("audit", "verify")
    assert verified["intact"] is True
    assert verified["rows"] >= len(rows(house, "--limit", "500"))
