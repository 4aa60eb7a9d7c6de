from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from registry.model.decisions import refuse
from registry.pipeline.operations import Check
from registry.web.api import ENDPOINTS
from registry.web.api.openapi import PREFIX, Endpoint
from tests.desks import ADA, DeskWorld
from tests.identity.world import ADMIN_TOKEN, basic

Api = TestClient[web.Request, web.Application]
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}


@pytest.fixture
async def world(tmp_path: Path) -> DeskWorld:
    world = DeskWorld(tmp_path)
    await world.policy.load()
    return world


@pytest.fixture
async def api(world: DeskWorld) -> AsyncIterator[Api]:
    async with TestClient(TestServer(world.application())) as client:
        yield client


async def call(
    api: Api, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] = ADMIN
) -> tuple[int, Any]:
    async with api.request(method, f"{PREFIX}{path}", json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


# roles x routes


def spelled(endpoint: Endpoint[Any, Any]) -> str:
    return f"{endpoint.method} {endpoint.path}"


OPEN = {"GET /refusals/{id}": "public", "GET /whoami": "reader", "POST /check": "reader"}
"""Every operation that needs no admin, and why that is right: a /why/ id can't be guessed and names nobody;
who I am is what I said myself; what would be refused a reader learns by asking for it."""


def test_an_operation_needs_an_admin_unless_it_is_listed_here() -> None:
    assert {spelled(e): e.role for e in ENDPOINTS if e.role != "admin"} == OPEN


async def test_every_route_below_the_prefix_is_an_operation_with_a_role(api: Api) -> None:
    assert api.app is not None
    routes = {
        f"{route.method} {route.resource.canonical.removeprefix(PREFIX)}"
        for route in api.app.router.routes()
        if route.resource is not None and route.method != "HEAD"  # which aiohttp answers with GET's handler
    }
    assert routes == {spelled(e) for e in ENDPOINTS} | {"GET /openapi.json"}


CREDENTIALS = ("nobody", "reader", "publisher", "user", "admin's publish token", "admin", "wrong")


@pytest.fixture
async def credentials(world: DeskWorld) -> Mapping[str, Mapping[str, str]]:
    users, tokens = world.identity.users, world.identity.tokens
    await users.add("bob", "correct horse", by=ADA)
    await users.add("root", "correct horse", admin=True, by=ADA)
    _, reading = await tokens.create("bob", scope="read", by=ADA)
    _, publishing = await tokens.create("bob", by=ADA)
    _, weak = await tokens.create("root", by=ADA)
    headers = {
        "reader": f"Bearer {reading}",
        "publisher": f"Bearer {publishing}",
        "user": basic("bob", "correct horse"),
        "admin's publish token": f"Bearer {weak}",
        "admin": basic("root", "correct horse"),
        "wrong": "Bearer nonsense",
    }
    return {"nobody": {}} | {who: {"Authorization": header} for who, header in headers.items()}


@pytest.mark.parametrize("read", ["anyone", "users"])
async def test_no_role_reaches_further_than_declared(
    world: DeskWorld, credentials: Mapping[str, Mapping[str, str]], read: str
) -> None:
    async with TestClient(TestServer(world.application(read))) as api:
        for endpoint in ENDPOINTS:
            path = endpoint.path.replace("{id}", "0").replace("{name}", "nobody")
            for who in CREDENTIALS:
                status, answer = await call(api, endpoint.method, path, headers=credentials[who])
                said = f"{spelled(endpoint)} as {who}: {status} {answer}"
                if who == "wrong":
                    assert status == 401, said
                elif endpoint.role == "public" or who == "admin":
                    assert status not in {401, 403}, said
                elif endpoint.role == "reader":
                    closed = who == "nobody" and read == "users"
                    assert status == (401 if closed else 200 if endpoint.method == "GET" else 400), said
                else:
                    assert status == (401 if who == "nobody" else 403), said


# changes


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 201),
        ({"Sec-Fetch-Site": "none"}, 201),
        ({"Origin": "own"}, 201),
    ],
    ids=str,
)
async def test_a_page_of_another_site_changes_nothing(
    world: DeskWorld, api: Api, headers: dict[str, str], status: int
) -> None:
    headers = {k: str(api.make_url("/").origin()) if v == "own" else v for k, v in headers.items()}
    body = {"name": "ada", "password": "correct horse"}
    answered, _ = await call(api, "POST", "/users", body, headers=ADMIN | headers)
    assert answered == status
    assert ("ada" in world.identity.accounts._accounts) is (status == 201)


async def test_a_form_is_no_json(world: DeskWorld, api: Api) -> None:
    form = {"name": "ada", "password": "correct horse"}
    async with api.post(f"{PREFIX}/users", data=form, headers=ADMIN) as response:
        assert response.status == 400
        assert "application/json" in (await response.json(content_type=None))["detail"]
    assert not world.identity.accounts._accounts


async def test_get_never_changes_anything(world: DeskWorld, api: Api) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET":
            await call(api, "GET", endpoint.path.replace("{id}", "0"))
    assert not world.log.rows
    assert not world.identity.events


# the operations


async def test_a_user_is_made_listed_given_a_new_password_and_removed(world: DeskWorld, api: Api) -> None:
    status, made = await call(
        api, "POST", "/users", {"name": "ada", "password": "correct horse", "admin": True}
    )
    assert (status, made["name"], made["admin"]) == (201, "ada", True)
    assert await call(api, "GET", "/users") == (200, {"items": [made], "next": None})
    assert await call(api, "PUT", "/users/ada/password", {"password": "battery staple"}) == (200, made)
    assert await world.identity.users.authenticate("ada", "battery staple")
    assert await call(api, "DELETE", "/users/ada") == (200, made)
    assert (await call(api, "DELETE", "/users/ada"))[0] == 404
    assert {event.actor for event in world.identity.events} == {"admin-token"}
    assert {event.address for event in world.identity.events} == {"127.0.0.1"}


async def test_a_token_is_shown_once_and_its_hash_never(world: DeskWorld, api: Api) -> None:
    await call(api, "POST", "/users", {"name": "ada", "password": "correct horse"})
    status, made = await call(api, "POST", "/tokens", {"account": "ada", "note": "ci", "days": 7})
    assert status == 201
    assert await world.identity.tokens.authenticate(made["text"])
    _, listed = await call(api, "GET", "/tokens?account=ada")
    assert listed == {"items": [made["token"]], "next": None}
    assert "sha256" not in str(made) + str(listed)
    assert await call(api, "GET", "/tokens?account=bob") == (200, {"items": [], "next": None})
    assert (await call(api, "DELETE", f"/tokens/{made['token']['id']}"))[0] == 200
    assert await world.identity.tokens.authenticate(made["text"]) is None


async def test_policy_is_explained_changed_and_changed_back(api: Api) -> None:
    _, explained = await call(api, "GET", "/policy/explain?ecosystem=npm&name=loadsh")
    assert explained["verdict"]["allowed"] is False
    assert [o["resembles"] for o in explained["verdict"]["objections"]] == ["lodash"]
    wish = {"kind": "allow", "ecosystem": "npm", "pattern": "loadsh", "reason": "we know"}
    status, made = await call(api, "POST", "/policy/entries", wish)
    assert (status, made["problems"]) == (201, [])
    assert (await call(api, "POST", "/policy/entries", wish))[0] == 409
    _, explained = await call(api, "GET", "/policy/explain?ecosystem=npm&name=loadsh")
    assert explained["verdict"]["allowed"] is True
    _, listed = await call(api, "GET", "/policy/entries?kind=allow&ecosystem=npm")
    assert listed["items"] == [made["entry"]]
    assert (await call(api, "GET", "/policy/entries?kind=deny"))[1]["items"] == []
    assert (await call(api, "DELETE", "/policy/entries/1"))[0] == 400, "a reason is needed"
    assert (await call(api, "DELETE", "/policy/entries/1?reason=enough"))[0] == 200
    assert (await call(api, "GET", "/policy"))[1]["entries"] == 0


async def test_lists_are_paged_to_the_end(world: DeskWorld, api: Api) -> None:
    artifact = world.keep("requests", "1.0", held=10)
    world.keep("numpy", "1.0", held=20)
    for actor in ("ada", "bob", "eve"):
        await world.delivered(artifact, actor)
        world.clock.advance(seconds=1)
    seen: list[int] = []
    path: str | None = "/audit/log?limit=2"
    while path:
        _, page = await call(api, "GET", path)
        seen += [row["seq"] for row in page["items"]]
        path = f"/audit/log?limit=2&before={page['next']}" if page["next"] else None
    assert seen == [3, 2, 1]
    _, first = await call(api, "GET", "/audit/who?ecosystem=pypi&name=requests&limit=2")
    assert ([r["actor"] for r in first["items"]], first["next"]) == (["eve", "bob"], 2)
    _, rest = await call(api, "GET", "/audit/who?ecosystem=pypi&name=requests&limit=2&offset=2")
    assert ([r["actor"] for r in rest["items"]], rest["next"]) == (["ada"], None)
    _, cached = await call(api, "GET", "/cache?limit=1")
    assert (cached["items"][0]["project"]["name"], cached["next"]) == ("numpy", 1)
    _, usage = await call(api, "GET", "/cache/usage")
    assert usage == {
        "items": [{"ecosystem": "pypi", "origin": "public", "projects": 2, "files": 2, "bytes": 30}],
        "bytes": 30,
    }


async def test_the_log_answers_by_time_and_verifies(world: DeskWorld, api: Api) -> None:
    artifact = world.keep("requests", "1.0")
    await world.delivered(artifact, "ada")
    world.clock.advance(seconds=60)
    await world.delivered(artifact, "bob")
    _, page = await call(api, "GET", "/audit/log?since=2026-11-21T12:00:30Z&kinds=delivery,refusal")
    assert [row["event"]["actor"] for row in page["items"]] == ["bob"]
    assert (await call(api, "GET", "/audit/log?since=2026-11-21T12:00:30"))[0] == 400, "a time zone is needed"
    _, verified = await call(api, "GET", "/audit/verify")
    assert (verified["intact"], verified["rows"]) == (True, 2)


async def test_the_doctor_is_ill_when_one_check_is(world: DeskWorld, api: Api) -> None:
    assert (await call(api, "GET", "/doctor"))[1]["ok"] is True
    world.checks.append(Check(name="upstream", ok=False, detail="no answer", remedy="check the proxy"))
    _, health = await call(api, "GET", "/doctor")
    assert health["ok"] is False
    assert health["checks"][1]["remedy"] == "check the proxy"


async def test_a_refusal_is_explained_to_anybody_who_has_its_id(world: DeskWorld, api: Api) -> None:
    explanation = await world.policies.explain("pypi", "requets")
    refused = refuse(explanation.decision, "http://here", b"secret")
    await world.refusals.disclose([refused], world.clock.now())
    status, answer = await call(api, "GET", f"/refusals/{refused.id}", headers={})
    assert (status, answer["verdict"]["allowed"]) == (200, False)


# what is malformed


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/users?limit=0", None, 400),
        ("GET", "/users?limit=1001", None, 400),
        ("GET", "/users?limit=1&limit=2", None, 400),
        ("GET", "/users?surprise=1", None, 400),
        ("GET", "/policy/explain?ecosystem=pypi", None, 400),
        ("GET", "/policy/explain?ecosystem=pypi&name=..%2F..", None, 400),
        ("DELETE", "/policy/entries/one?reason=why", None, 400),
        ("DELETE", "/users/ada?name=bob", None, 400),
        ("PUT", "/users/ada/password", {"name": "bob", "password": "correct horse"}, 400),
        ("POST", "/users?admin=true", {"name": "ada", "password": "correct horse"}, 400),
        ("POST", "/users", {"name": "ada", "password": "correct horse", "admin": "yes"}, 400),
        ("POST", "/users", ["ada"], 400),
        ("POST", "/users", {"name": "ada", "password": "x" * 70_000}, 413),
        ("POST", "/tokens", {"account": "nobody"}, 404),
    ],
)
async def test_a_wrong_request_gets_a_problem_that_says_what(
    world: DeskWorld, api: Api, method: str, path: str, body: object, status: int
) -> None:
    async with api.request(method, f"{PREFIX}{path}", json=body, headers=ADMIN) as response:
        problem = await response.json(content_type=None)
        assert response.status == status
        assert response.content_type == "application/problem+json"
        assert (problem["type"], problem["status"]) == ("about:blank", status)
        assert len(problem["detail"]) > 20
    assert not world.log.rows
    assert not world.identity.accounts._accounts


async def test_who_is_unknown_is_told_how_to_log_in(api: Api) -> None:
    async with api.get(f"{PREFIX}/users") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert response.headers["Cache-Control"] == "no-store"
