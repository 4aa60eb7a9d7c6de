"""Refusals: the same no behind every door, and its reason in what each client prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import pytest
import requests

from tests.e2e.conftest import NewMachine
from tests.e2e.house import House
from tests.e2e.machine import NPM_CLIENTS, PYTHON_CLIENTS
from tests.e2e.outside import Outside
from tests.e2e.said import Said
from tests.upstream import make_tarball, make_wheel

POLICY = """
[pypi]
mode = "{mode}"
allow = ["burdock", "sedge-allowed"]
deny = [
    {{ name = "hemlock", reason = "it is poisonous" }},
    {{ name = "burdock", versions = "<2", reason = "it leaks keys" }},
]
ours = []

[npm]
mode = "{mode}"
allow = ["burdock", "sedge-allowed"]
deny = [
    {{ name = "hemlock", reason = "it is poisonous" }},
    {{ name = "burdock", versions = "<2.0.0", reason = "it leaks keys" }},
]
ours = []

[rules]
denylist = "deny"
lookalike = "deny"
ownership = "deny"

[lookalike]
hold = 0.5
deny = 0.9
"""


@pytest.fixture(scope="module", autouse=True)
def policy(house: House, outside: Outside) -> None:
    for name in ("hemlock", "sedge-allowed", "sedge-other"):
        outside.publish(make_wheel(name, "1.0"), make_tarball(name, "1.0.0"))
    for version in ("1.5", "2.5"):
        outside.publish(make_wheel("burdock", version), make_tarball("burdock", f"{version}.0"))
    outside.publish(make_wheel("reqeusts", "1.0"), make_tarball("loadsh", "1.0.0"))
    house.set_policy(POLICY.format(mode="guarded"))


@pytest.fixture
def allowlist(house: House) -> Iterator[None]:
    house.set_policy(POLICY.format(mode="allowlist"))
    yield
    house.set_policy(POLICY.format(mode="guarded"))


def explained(house: House, said: Said) -> str:
    """The page behind the link that a client printed."""
    unwrapped = said.text.replace(" ", "")
    link = re.search(rf"{re.escape(house.url)}(/why/[0-9a-f]{{32}})", unwrapped)
    assert link, said.text
    page = house.get(link[1])
    assert page.status_code == 200
    return page.text


@pytest.mark.parametrize("client", PYTHON_CLIENTS)
def test_a_misspelt_python_name_is_refused_in_words_that_the_client_prints(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    said = new_machine().install(client, "reqeusts").refused()
    assert "'reqeusts' looks like 'requests'" in said.text
    assert "requests" in explained(house, said)
    assert outside.heard_of("reqeusts") == []


@pytest.mark.parametrize("client", ["pip", "pip-23"])
def test_a_misspelt_name_that_is_pinned_names_the_reason_among_the_versions(
    client: str, house: House, new_machine: NewMachine
) -> None:
    said = new_machine().install(client, "reqeusts", "1.0").refused()
    assert "blocked.lookalike.of.requests" in said.text


@pytest.mark.parametrize("client", NPM_CLIENTS)
def test_a_misspelt_npm_name_is_refused_in_words_that_the_client_prints(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    said = new_machine().install(client, "loadsh").refused()
    assert "'loadsh' looks like 'lodash'" in said.text
    assert "lodash" in explained(house, said)
    assert outside.heard_of("loadsh") == []


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_a_denied_name_is_refused_with_the_operators_reason(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    said = new_machine().install(client, "hemlock").refused()
    # An unpinned tombstone is told by its file; what an index door says is lost on pip and uv.
    assert "it is poisonous" in said.text
    assert "it is poisonous" in explained(house, said)
    assert outside.heard_of("hemlock") == []


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_a_name_that_is_off_the_list_is_refused_and_one_on_it_installs(
    client: str, allowlist: None, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    said = new_machine().install(client, "sedge-other").refused()
    assert "allowlist" in said.text
    explained(house, said)
    machine = new_machine()
    machine.install(client, "sedge-allowed").checked()
    assert machine.installed(client, "sedge-allowed") == ("1.0" if client in PYTHON_CLIENTS else "1.0.0")
    assert outside.heard_of("sedge-other") == []


@pytest.mark.parametrize("client", [*PYTHON_CLIENTS, *NPM_CLIENTS])
def test_of_a_denied_range_the_others_install_and_a_pinned_one_says_why(
    client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    tail = "" if client in PYTHON_CLIENTS else ".0"
    machine = new_machine()
    machine.install(client, "burdock").checked()
    assert machine.installed(client, "burdock") == f"2.5{tail}"
    said = new_machine().install(client, "burdock", f"1.5{tail}").refused()
    if client in {"pnpm", "yarn"}:
        # They look for the version in the packument, which leaves it out; npm alone reads why.
        assert "burdock" in said.text
    else:
        assert "it leaks keys" in said.text
        explained(house, said)


@dataclass(frozen=True)
class Door:
    """A way to ask for something refused."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"


PYTHON_FILE = "/pypi/files/burdock/burdock-1.5-py3-none-any.whl"
NPM_FILE = "/npm/burdock/-/burdock-1.5.0.tgz"
VERSION_DOORS = {
    "wheel": Door(PYTHON_FILE, {}),
    "wheel, HEAD": Door(PYTHON_FILE, {}, "HEAD"),
    "wheel, Range": Door(PYTHON_FILE, {"Range": "bytes=0-9"}),
    "wheel, If-None-Match": Door(PYTHON_FILE, {"If-None-Match": "*"}),
    "wheel's metadata": Door(f"{PYTHON_FILE}.metadata", {}),
    "tarball": Door(NPM_FILE, {}),
    "tarball, HEAD": Door(NPM_FILE, {}, "HEAD"),
    "tarball, Range": Door(NPM_FILE, {"Range": "bytes=0-9"}),
    "tarball, If-None-Match": Door(NPM_FILE, {"If-None-Match": "*"}),
    "manifest": Door("/npm/burdock/1.5.0", {}),
}
NAME_DOORS = {
    "wheel": Door("/pypi/files/hemlock/hemlock-1.0-py3-none-any.whl", {}),
    "wheel's metadata": Door("/pypi/files/hemlock/hemlock-1.0-py3-none-any.whl.metadata", {}),
    "legacy JSON": Door("/pypi/pypi/hemlock/json", {}),
    "packument": Door("/npm/hemlock", {}),
    "packument, HEAD": Door("/npm/hemlock", {}, "HEAD"),
    "packument, abbreviated": Door("/npm/hemlock", {"Accept": "application/vnd.npm.install-v1+json"}),
    "packument, If-None-Match": Door("/npm/hemlock", {"If-None-Match": "*"}),
    "manifest": Door("/npm/hemlock/1.0.0", {}),
    "latest": Door("/npm/hemlock/latest", {}),
    "dist-tags": Door("/npm/-/package/hemlock/dist-tags", {}),
    "tarball": Door("/npm/hemlock/-/hemlock-1.0.0.tgz", {}),
}


def ask(house: House, door: Door) -> requests.Response:
    return requests.request(
        door.method, f"{house.url}{door.path}", headers=dict(door.headers), timeout=30, allow_redirects=False
    )


@pytest.mark.parametrize("door", VERSION_DOORS)
def test_a_denied_version_is_refused_at_every_door(door: str, house: House, outside: Outside) -> None:
    answer = ask(house, VERSION_DOORS[door])
    assert answer.status_code == 403
    assert "it leaks keys" in answer.reason
    assert "/why/" in answer.headers["X-Registry-Why"]
    assert [seen for seen in outside.upstream.requests if "burdock-1.5" in seen.path] == []


@pytest.mark.parametrize("door", NAME_DOORS)
def test_a_denied_name_is_refused_at_every_door(door: str, house: House, outside: Outside) -> None:
    answer = ask(house, NAME_DOORS[door])
    assert answer.status_code == 403
    assert "it is poisonous" in answer.reason
    assert outside.heard_of("hemlock") == []


@pytest.mark.parametrize("accept", ["application/vnd.pypi.simple.v1+json", "text/html"])
def test_the_index_of_a_denied_name_offers_one_file_that_is_refused_too(accept: str, house: House) -> None:
    answer = house.get("/pypi/simple/hemlock/", Accept=accept)
    assert answer.status_code == 200
    (link,) = re.findall(r'"([^"]*/files/[^"]+)"', answer.text)
    refusal = house.get(urljoin("/pypi/simple/hemlock/", link))
    assert refusal.status_code == 403
    assert "it is poisonous" in refusal.reason


def test_the_legacy_json_shows_a_denied_version_as_the_index_does(house: House) -> None:
    shown = house.get("/pypi/pypi/burdock/1.5/json").json()
    assert shown["info"]["yanked"] is True
    assert "it leaks keys" in shown["info"]["yanked_reason"]
    assert house.get("/pypi/pypi/burdock/json").json()["info"]["version"] == "2.5"


def test_what_is_denied_after_it_came_in_is_refused_from_then_on(
    house: House, outside: Outside, new_machine: NewMachine
) -> None:
    outside.publish(make_wheel("nightshade", "1.0"), make_tarball("nightshade", "1.0.0"))
    for client in ("pip", "npm"):
        new_machine().install(client, "nightshade").checked()
    for ecosystem in ("pypi", "npm"):
        house.registry("policy", "deny", ecosystem, "nightshade", "--reason", "found out late").checked()
    for client in [*PYTHON_CLIENTS, *NPM_CLIENTS]:
        assert "found out late" in new_machine().install(client, "nightshade").refused().text
    for entry in house.answer("policy", "list"):
        house.registry("policy", "remove", str(entry["id"]), "--reason", "a mistake", "--yes").checked()
    with outside.cut_off():
        for client in ("pip", "npm"):
            new_machine().install(client, "nightshade").checked()


@pytest.mark.parametrize(("ecosystem", "name", "client"), [
    ("pypi", "reqeustss", "pip"),
    ("npm", "loadhs", "npm"),
])  # fmt: skip
def test_a_look_alike_is_let_in_by_command(
    ecosystem: str, name: str, client: str, house: House, outside: Outside, new_machine: NewMachine
) -> None:
    outside.publish(make_wheel(name, "1.0.0"), make_tarball(name, "1.0.0"))
    new_machine().install(client, name).refused()
    refused = house.registry("policy", "explain", ecosystem, name)
    assert (refused.status, "looks like" in refused.text) == (1, True)
    house.registry("policy", "allow", ecosystem, name, "--reason", "looked at it").checked()
    machine = new_machine()
    machine.install(client, name).checked()
    assert machine.installed(client, name) == "1.0.0"
    house.registry("policy", "explain", ecosystem, name).checked()
