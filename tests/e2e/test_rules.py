"""Rules about who published, and about publishing, in the words that real clients print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House, User
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS, Machine
from tests.e2e.outside import Outside
from tests.e2e.said import Said
from tests.upstream import Distribution, Tarball, make_tarball, make_wheel

ATTESTED = Path(__file__).parents[1] / "sources" / "attested"
POLICY = """
[pypi]
mode = "guarded"
deny = [{ name = "hemlock", reason = "it is poisonous" }]
rules = { RULES }

[npm]
mode = "guarded"
deny = [{ name = "hemlock", reason = "it is poisonous" }]
rules = { RULES }
"""


def decree(house: House, rules: str) -> None:
    """Put these rules in force, unless they are."""
    text = POLICY.replace("RULES", rules)
    if house.policy.read_text() != text:
        house.set_policy(text)


def touched() -> Distribution:
    """A public file that really was attested, with an attestation that names somebody else."""
    filename = "gcb_attestation_test-0.0.0.tar.gz"
    said = json.loads((ATTESTED / f"{filename}.provenance").read_text())
    said["attestation_bundles"][0]["publisher"]["email"] = "somebody@else.example"
    return Distribution(
        project="gcb-attestation-test",
        version="0.0.0",
        filename=filename,
        data=(ATTESTED / filename).read_bytes(),
        provenance=json.dumps(said).encode(),
    )


def by(who: str, version: str, year: int) -> Tarball:
    tarball = make_tarball("teasel", version)
    tarball.manifest["_npmUser"] = {"name": who, "email": f"{who}@example.com"}
    tarball.published = f"{year}-01-01T00:00:00.000Z"
    return tarball


@pytest.fixture(scope="module", autouse=True)
def public(outside: Outside) -> None:
    outside.publish(by("ada", "1.0.0", 2020), by("eve", "1.1.0", 2021))
    outside.publish(make_wheel("bryony", "1.0"), make_tarball("bryony", "1.0.0"), touched())


@pytest.mark.parametrize("effect", ["hold", "deny", "hide"])
@pytest.mark.parametrize("client", NPM_CLIENTS)
def test_a_version_by_somebody_new_is_passed_over_and_who_it_was_is_told_who_pins_it(
    effect: str, client: str, house: House, new_machine: NewMachine
) -> None:
    decree(house, f'publisher = "{effect}"')
    machine = new_machine()
    machine.install(client, "teasel").checked()
    assert machine.installed(client, "teasel") == "1.0.0"
    said = new_machine().install(client, "teasel", "1.1.0").refused()
    # pnpm and yarn look for the version in the packument, which leaves it out; what is hidden isn't told of.
    told = "'teasel' 1.1.0 was published by eve; releases before it by ada" in said.text
    assert told is (client == "npm" and effect != "hide")
    answer = house.get("/npm/teasel/-/teasel-1.1.0.tgz")
    assert (answer.status_code, "published by eve" in answer.reason) == (403, True)


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_what_nobody_attests_is_refused_in_words(client: str, house: House, new_machine: NewMachine) -> None:
    decree(house, 'unattested = "deny"')
    said = new_machine().install(client, "bryony").refused()
    assert "has no attestation of who built it" in said.text
    decree(house, 'unattested = "observe"')
    new_machine().install(client, "bryony").checked()


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_an_attestation_that_does_not_hold_is_refused_in_words(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    decree(house, 'attestation = "deny"')
    said = new_machine().install(client, "gcb-attestation-test").refused()
    assert "what vouches for 'gcb_attestation_test-0.0.0.tar.gz' doesn't hold" in said.text
    assert not [seen for seen in outside.upstream.requests if "/files/gcb" in seen.path]


@pytest.mark.parametrize("client", NPM_CLIENTS)
def test_an_npm_signature_that_is_missing_is_refused(
    client: str, house: House, new_machine: NewMachine
) -> None:
    decree(house, 'attestation = "deny"')
    said = new_machine().install(client, "bryony").refused()
    assert "403" in said.text
    if client != "pnpm":  # of a tarball it shows the status alone
        assert "what vouches for 'bryony-1.0.0.tgz' can't be checked" in said.text


# publishing


def uploaded(machine: Machine, client: str, user: User, name: str) -> Said:
    login = (user.name, user.password)
    files = machine.dist(make_wheel(name, "1.0"))
    if client == "twine":
        return machine.twine("-u", login[0], "-p", login[1], *files)
    return machine.uv_publish("--username", login[0], "--password", login[1], *files)


@pytest.mark.parametrize("client", ["twine", "uv publish"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hemlock", "it is poisonous"),
        ("reqeusts", "'reqeusts' looks like 'requests'"),
        ("bryony", "'bryony' is known as a public package"),
        ("numpy", "'numpy' is known as a public package"),
    ],
)
def test_an_upload_that_policy_refuses_is_refused_in_words(
    name: str, reason: str, client: str, house: House, alice: User, machine: Machine
) -> None:
    decree(house, 'age = "off"')
    assert house.get("/pypi/simple/bryony/").status_code == 200
    said = uploaded(machine, client, alice, name).refused()
    assert reason in " ".join(said.text.split())


@pytest.mark.parametrize(
    ("name", "reason"),
    [("hemlock", "it is poisonous"), ("loadsh", "'loadsh' looks like 'lodash'"), ("react", "public package")],
)
def test_npm_publish_of_what_policy_refuses_is_refused_in_words(
    name: str, reason: str, house: House, alice: User, machine: Machine
) -> None:
    decree(house, 'age = "off"')
    machine.npm_token(alice.token)
    said = machine.npm("publish", folder=machine.package(name, "1.0.0")).refused()
    assert reason in said.text
