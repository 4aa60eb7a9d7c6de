"""Renditions: made once for each document, policy, form and address, and no longer right when a hold ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.errors import NotFound, SourceFailed
from registry.model.accounts import PolicyEntry
from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.pipeline import preparer
from registry.pipeline.orders import Wanted
from registry.pipeline.packs import unpack
from registry.pipeline.prepare import prepare
from registry.pipeline.rendering import IndexAnswer
from tests.pipeline.line import FRESH, Line
from tests.policy.worlds import GUARDED
from tests.upstream import make_wheel
from tests.upstream.documents import simple_json

PYPI = ECOSYSTEMS["pypi"]
DEMO = PYPI.parse_name("demo")
JSON = Wanted(PYPI.negotiate("application/vnd.pypi.simple.v1+json"))
HTML = Wanted(PYPI.negotiate("text/html"))
ROOT, ELSEWHERE = "http://localhost:8080", "https://packages.example"


def said(*versions: str) -> bytes:
    wheels = [make_wheel("demo", version) for version in versions]
    return simple_json("demo", wheels, "https://files.example", bare=False)


def files(answer: IndexAnswer) -> dict[str, Any]:
    document = json.loads(unpack(answer.rendition))
    return {file["filename"].split("-")[1]: file for file in document["files"]}


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    made = Line(tmp_path)
    await made.policy.load()
    made.upstream.say(DEMO, said("1.0", "2.0"))
    yield made
    await made.freshness.close()


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every job that was really done."""
    jobs: list[Any] = []

    def counting(job: Any, rules: Any) -> Any:
        jobs.append(job)
        return prepare(job, rules)

    monkeypatch.setattr(preparer, "prepare", counting)
    return jobs


async def test_the_second_one_is_taken_from_the_shelf(line: Line, prepared: list[Any]) -> None:
    first = await line.renderer.rendered(DEMO, JSON, ROOT)
    second = await line.renderer.rendered(DEMO, JSON, ROOT)
    assert (first.state, second.state) == ("MISS", "HIT")
    assert second.rendition is first.rendition
    assert len(prepared) == 1


async def test_a_hit_asks_no_row_and_no_document(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    await line.renderer.rendered(DEMO, JSON, ROOT)
    for port in (line.catalogue, line.documents, line.refusals, line.log):
        for name in ("holding", "holdings", "origin", "get", "known", "disclose", "record"):
            if hasattr(port, name):
                monkeypatch.setattr(port, name, None)
    assert (await line.renderer.rendered(DEMO, JSON, ROOT)).state == "HIT"


async def test_form_and_address_have_their_own_renditions(line: Line, prepared: list[Any]) -> None:
    for wanted, root in ((JSON, ROOT), (HTML, ROOT), (JSON, ELSEWHERE)) * 2:
        answer = await line.renderer.rendered(DEMO, wanted, root)
        assert answer.rendition.content_type.endswith("json") == (wanted is JSON)
    assert [(job.wanted, job.root) for job in prepared] == [(JSON, ROOT), (HTML, ROOT), (JSON, ELSEWHERE)]
    assert line.upstream.asked == [DEMO]


async def test_another_policy_makes_another_rendition_with_another_etag(line: Line) -> None:
    before = await line.renderer.rendered(DEMO, JSON, ROOT)
    await line.decree(GUARDED.replace("[npm]", 'deny = ["other"]\n[npm]', 1))
    after = await line.renderer.rendered(DEMO, JSON, ROOT)
    assert after.rendition.etag != before.rendition.etag
    assert files(after) == files(before)


async def test_a_new_document_makes_a_new_rendition(line: Line) -> None:
    await line.renderer.rendered(DEMO, JSON, ROOT)
    line.upstream.say(DEMO, said("1.0", "2.0", "3.0"))
    line.clock.advance(seconds=3 * FRESH)
    answer = await line.renderer.rendered(DEMO, JSON, ROOT)
    assert (answer.state, list(files(answer))) == ("REVALIDATED", ["1.0", "2.0", "3.0"])


async def test_an_unchanged_document_is_not_rendered_again(line: Line, prepared: list[Any]) -> None:
    await line.renderer.rendered(DEMO, JSON, ROOT)
    line.clock.advance(seconds=3 * FRESH)
    assert (await line.renderer.rendered(DEMO, JSON, ROOT)).state == "REVALIDATED"
    assert len(prepared) == 1


def unannounced(*versions: str) -> bytes:
    """A document that tells of no metadata."""
    wheels = [make_wheel("demo", version) for version in versions]
    for wheel in wheels:
        wheel.metadata = None
    return simple_json("demo", wheels, "https://files.example", bare=False)


async def come_in(line: Line, version: str) -> None:
    """A wheel came in, and its metadata with it."""
    filename, metadata = f"demo-{version}-py3-none-any.whl", version[0] * 64
    await line.catalogue.attach_metadata(DEMO, filename, metadata)
    await line.renderer.offer(DEMO, filename, metadata)


@pytest.mark.parametrize("wanted", [JSON, HTML], ids=["json", "html"])
async def test_metadata_of_wheels_that_came_in_is_offered_as_if_all_were_rendered_anew(
    line: Line, prepared: list[Any], wanted: Wanted
) -> None:
    line.upstream.say(DEMO, unannounced("1.0", "2.0", "3.0"))
    before = await line.renderer.rendered(DEMO, wanted, ROOT)
    await come_in(line, "1.0")
    await come_in(line, "3.0")
    amended = await line.renderer.rendered(DEMO, wanted, ROOT)
    assert len(prepared) == 1
    await line.renderer.forget(DEMO)
    anew = await line.renderer.rendered(DEMO, wanted, ROOT)
    assert len(prepared) == 2
    assert amended.rendition == anew.rendition != before.rendition


async def test_metadata_is_not_all_that_is_told_where_something_else_happened_too(
    line: Line, prepared: list[Any]
) -> None:
    line.upstream.say(DEMO, unannounced("1.0", "2.0"))
    await line.renderer.rendered(DEMO, JSON, ROOT)
    await come_in(line, "1.0")
    await line.renderer.forget(DEMO)
    await come_in(line, "2.0")
    found = files(await line.renderer.rendered(DEMO, JSON, ROOT))
    assert [file["core-metadata"]["sha256"][0] for file in found.values()] == ["1", "2"]
    assert len(prepared) == 2


async def test_metadata_offered_under_another_policy_does_not_keep_the_old_one(line: Line) -> None:
    line.upstream.say(DEMO, unannounced("1.0", "2.0"))
    await line.renderer.rendered(DEMO, JSON, ROOT)
    await come_in(line, "1.0")
    await line.decree(GUARDED.replace("[npm]", 'deny = ["demo<2"]\n[npm]', 1))
    found = files(await line.renderer.rendered(DEMO, JSON, ROOT))
    assert found["1.0"]["yanked"]
    assert found["1.0"]["core-metadata"] == {"sha256": "1" * 64}


@pytest.mark.parametrize("kind", ["deny", "allow"])
async def test_the_end_of_a_decision_is_the_end_of_the_rendition(line: Line, kind: str) -> None:
    """Fresh document, same policy, another moment."""
    mode = "allowlist" if kind == "allow" else "guarded"
    await line.decree(f'[pypi]\nmode = "{mode}"\nallow = ["demo>=2"]\n[npm]\nmode = "guarded"\n')
    now, end = line.clock.now(), line.clock.now() + timedelta(seconds=FRESH / 2)
    entry = PolicyEntry(
        ecosystem="pypi",
        kind=kind,  # type: ignore[arg-type]
        pattern="demo",
        versions="<2",
        reason="for now",
        author="ada",
        created=now,
        until=end,
    )
    await line.desk.store.add(entry, Event(kind=Kind.ADMIN, at=now, actor="ada"))
    await line.policy.reload()
    before = files(await line.renderer.rendered(DEMO, JSON, ROOT))
    line.clock.advance(seconds=FRESH / 2 + 1)
    answer = await line.renderer.rendered(DEMO, JSON, ROOT)
    assert answer.state == "HIT"
    withheld = [bool(found["1.0"].get("yanked")) for found in (before, files(answer))]
    assert withheld == ([True, False] if kind == "deny" else [False, True])


async def test_our_own_rows_make_it_anew_too(line: Line) -> None:
    """Core metadata was extracted: from now on it is offered."""
    await line.renderer.rendered(DEMO, JSON, ROOT)
    await line.catalogue.attach_metadata(DEMO, make_wheel("demo", "1.0").filename, "f" * 64)
    await line.renderer.forget(DEMO)
    found = files(await line.renderer.rendered(DEMO, JSON, ROOT))
    assert found["1.0"]["core-metadata"] == {"sha256": "f" * 64}
    assert found["2.0"]["core-metadata"] != {"sha256": "f" * 64}  # which is its source's word for it


async def test_what_is_withheld_can_be_looked_up(line: Line) -> None:
    await line.decree(GUARDED.replace("[npm]", 'deny = ["demo<2"]\n[npm]', 1))
    answer = await line.renderer.rendered(DEMO, JSON, ROOT)
    reason = files(answer)["1.0"]["yanked"]
    refusal = reason.rpartition("/why/")[2].rstrip(")")
    assert await line.refusals.explain(refusal) is not None
    assert not files(answer)["2.0"].get("yanked")


async def test_a_document_that_cannot_be_read_is_the_sources_failure(line: Line) -> None:
    line.upstream.say(DEMO, b'{"files": 1}')
    with pytest.raises(SourceFailed):
        await line.renderer.rendered(DEMO, JSON, ROOT)
    assert await line.documents.standing(DEMO) is None
    assert await line.catalogue.holdings(DEMO) == ()


async def test_a_broken_new_document_leaves_the_old_one(line: Line) -> None:
    await line.renderer.rendered(DEMO, JSON, ROOT)
    line.upstream.say(DEMO, b"<html>log in", "text/html")
    line.clock.advance(seconds=3 * FRESH)
    answer = await line.renderer.rendered(DEMO, JSON, ROOT)
    assert (answer.state, list(files(answer))) == ("STALE", ["1.0", "2.0"])


async def test_entries_that_are_left_out_are_alarmed(line: Line) -> None:
    stranger = make_wheel("stranger", "1.0")
    body = simple_json("demo", [make_wheel("demo", "1.0"), stranger], "https://files.example", bare=False)
    line.upstream.say(DEMO, body)
    await line.renderer.rendered(DEMO, JSON, ROOT)
    (alarm,) = line.log.of_kind(Kind.ALARM)
    assert (alarm.detail["alarm"], alarm.detail["count"]) == ("index", 1)


async def test_a_public_document_is_never_given_to_be_written_back(line: Line) -> None:
    with pytest.raises(NotFound):
        await line.renderer.unfiltered(DEMO, JSON, ROOT)
    assert line.upstream.asked == []


class Elsewhere:
    """A worker process that takes its time; and how many documents are on their way to it or back."""

    def __init__(self) -> None:
        self.under_way = self.most = 0

    def begin(self) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    async def run(self, work: Callable[..., bytes], *args: object) -> bytes:
        for _ in range(20):
            await asyncio.sleep(0)
        self.under_way -= 1
        return work(*args)


async def test_of_many_large_documents_few_are_taken_apart_at_once(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, known = Elsewhere(), line.catalogue.known

    async def watched(project: Project) -> Any:
        elsewhere.begin()
        return await known(project)

    monkeypatch.setattr(preparer, "LARGE", 100)
    monkeypatch.setattr(line.preparer, "_workers", elsewhere)
    monkeypatch.setattr(line.catalogue, "known", watched)
    projects = [PYPI.parse_name(f"demo-{number}") for number in range(3 * preparer.AT_ONCE)]
    for project in projects:
        wheels = [make_wheel(project.name, "1.0")]
        line.upstream.say(project, simple_json(project.name, wheels, "https://files.example", bare=False))
    first = await asyncio.gather(*(line.renderer.rendered(each, JSON, ROOT) for each in projects))
    assert [answer.state for answer in first] == ["MISS"] * len(projects)
    assert elsewhere.most == preparer.AT_ONCE
    for project in projects:
        await line.renderer.forget(project)
    again = await asyncio.gather(*(line.renderer.rendered(each, JSON, ROOT) for each in projects))
    assert [answer.rendition for answer in again] == [answer.rendition for answer in first]
    assert elsewhere.most == preparer.AT_ONCE
