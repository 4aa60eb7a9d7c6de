"""Who is refused can ask, an admin can answer, and all of it is in the log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from registry.storage.petitions import PER_ADDRESS
from tests.guarantees.house import Got, House, path_of
from tests.policy.worlds import GUARDED
from tests.upstream import Distribution, LyingUpstream, make_wheel

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


async def refused(house: House, upstream: LyingUpstream, name: str = "demo") -> tuple[Distribution, str]:
    """A file that is too young, and the path of the page that says why."""
    wheel = make_wheel(name, "2.0")
    wheel.published = (house.clock.now() - timedelta(days=1)).isoformat().replace("+00:00", "Z")
    upstream.add(wheel)
    await house.index(name)
    got = await house.ask(path_of(wheel))
    assert got.status == 403
    return wheel, str(got.headers["X-Registry-Why"]).removeprefix(house.root)


async def ask(house: House, why: str, headers: dict[str, str] | None = None, **fields: str) -> Got:
    return await house.ask(
        f"{why}/request", method="POST", headers={**FORM, **(headers or {})}, data=urlencode(fields)
    )


async def api(house: House, method: str, path: str, **body: Any) -> Got:
    return await house.ask(
        f"/api/v1{path}",
        method=method,
        headers={**house.admin, **JSON},
        data=json.dumps(body) if body else None,
    )


async def test_a_refused_developer_asks_and_gets_it_for_a_while(
    house: House, upstream: LyingUpstream
) -> None:
    wheel, why = await refused(house, upstream)
    page = (await house.ask(why)).body.decode()
    assert f'action="{why.rpartition("/")[2]}/request"' in page
    sent = await ask(house, why, message="the fix for our <outage>", name="Bob")
    assert (sent.status, sent.headers["Location"]) == (303, f"../{why.rpartition('/')[2]}")
    assert "hasn't answered yet" in (await house.ask(why)).body.decode()
    (waiting,) = (await api(house, "GET", "/policy/requests?state=open")).json["items"]
    assert (waiting["subject"], waiting["name"]) == ("pypi:demo@2.0", "Bob")
    assert waiting["actor"].startswith("anonymous")
    granted = await api(house, "PUT", f"/policy/requests/{waiting['id']}/granted", reason="fine", days=1)
    assert granted.json["state"] == "granted"
    assert (await house.ask(path_of(wheel))).is_whole(wheel.data)
    page = (await house.ask(why)).body.decode()
    assert "It passes now" in page
    assert "Until 2026-11-22 12:00 UTC only" in page
    house.clock.advance(hours=25)
    assert (await house.ask(path_of(wheel))).status == 403
    acts = [row["detail"]["action"] for row in house.rows("admin") if "action" in row["detail"]]
    assert acts[-3:] == ["policy.request", "policy.exempt", "policy.request.granted"]


async def test_a_declined_request_says_why_and_can_be_made_again(
    house: House, upstream: LyingUpstream
) -> None:
    wheel, why = await refused(house, upstream)
    await ask(house, why, message="please")
    declined = await api(house, "PUT", "/policy/requests/1/declined", reason="wait for two days")
    assert declined.json["answer"] == "wait for two days"
    assert "wait for two days" in (await house.ask(why)).body.decode()
    assert (await house.ask(path_of(wheel))).status == 403
    assert (await api(house, "PUT", "/policy/requests/1/granted", reason="well")).status == 409
    assert (await ask(house, why, message="really")).status == 303


async def test_a_look_alike_is_granted_as_an_exemption_and_a_missing_name_onto_the_list(
    house: House, upstream: LyingUpstream
) -> None:
    await house.decree(GUARDED.replace('"guarded"', '"allowlist"', 1))
    upstream.add(make_wheel("reqeusts", "1.0"))
    got = await house.ask("/pypi/files/reqeusts/reqeusts-1.0-py3-none-any.whl")
    why = str(got.headers["X-Registry-Why"]).removeprefix(house.root)
    await ask(house, why, message="it's ours")
    await api(house, "PUT", "/policy/requests/1/granted", reason="reviewed")
    kinds = {entry["kind"] for entry in (await api(house, "GET", "/policy/entries")).json["items"]}
    assert kinds == {"allow", "exempt"}
    assert (await house.ask("/pypi/files/reqeusts/reqeusts-1.0-py3-none-any.whl")).status == 200


async def test_what_has_no_exemptions_is_not_granted(house: House, upstream: LyingUpstream) -> None:
    await house.decree(GUARDED.replace("[npm]", 'deny = ["demo"]\n[npm]', 1))
    got = await house.ask("/pypi/files/demo/demo-1.0-py3-none-any.whl")
    why = str(got.headers["X-Registry-Why"]).removeprefix(house.root)
    await ask(house, why, message="please")
    refused = await api(house, "PUT", "/policy/requests/1/granted", reason="fine")
    assert refused.status == 400
    assert "denylist" in refused.json["detail"]


async def test_asking_is_bounded_and_only_for_what_was_refused(house: House, upstream: LyingUpstream) -> None:
    for number in range(PER_ADDRESS):
        _, why = await refused(house, upstream, f"demo{number}")
        assert (await ask(house, why, message="please")).status == 303
    _, why = await refused(house, upstream, "one-more")
    late = await ask(house, why, message="please")
    assert (late.status, late.headers["Retry-After"]) == (429, "3600")
    assert (await ask(house, "/why/" + "0" * 32, message="please")).status == 404
    assert (await ask(house, why, message=" ")).status == 400
    assert (await ask(house, why, message="x" * 501)).status == 400
    assert (await ask(house, why, {"Origin": "http://evil.example"}, message="x")).status == 403
    assert (await ask(house, why, {"Sec-Fetch-Site": "cross-site"}, message="x")).status == 403


async def test_the_admins_page_is_for_admins_and_its_forms_for_itself(
    house: House, upstream: LyingUpstream
) -> None:
    _, why = await refused(house, upstream)
    await ask(house, why, message="<script>alert(1)</script>", name="Bob")
    closed = await house.ask("/requests")
    assert (closed.status, closed.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    page = (await house.ask("/requests", headers=house.admin)).body.decode()
    assert "pypi:demo@2.0" in page
    assert "<script>" not in page
    form = urlencode({"answer": "grant", "reason": "fine", "days": "3"})
    foreign = {**house.admin, **FORM, "Sec-Fetch-Site": "cross-site"}
    assert (await house.ask("/requests/1", method="POST", headers=foreign, data=form)).status == 403
    nobody = await house.ask("/requests/1", method="POST", headers=FORM, data=form)
    assert nobody.status == 401
    done = await house.ask("/requests/1", method="POST", headers={**house.admin, **FORM}, data=form)
    assert done.status == 303
    assert "granted" in (await house.ask("/requests", headers=house.admin)).body.decode()
