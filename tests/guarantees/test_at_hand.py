"""What is at hand is answered by a shorter way, and nobody can tell by the answer."""

from __future__ import annotations

import hashlib
import random
import re
from contextlib import closing
from datetime import UTC, datetime

import pytest

from registry.model.events import Event, Kind
from registry.model.names import Project
from registry.storage.catalogue import Catalogue
from registry.storage.database import Database
from registry.storage.editions import SharedEditions
from registry.web.at_hand import AtHand, Given
from registry.web.heads import BareHead
from tests.guarantees.house import JSON, Got, House, path_of
from tests.upstream import LyingUpstream, make_tarball, make_wheel

SMALL, LARGE = make_wheel("small", "1.0"), make_wheel("large", "1.0", padding=100_000)
TARBALL, BIG = make_tarball("@team/tool", "1.0.0"), make_tarball("big", "1.0.0")
BIG.manifest = {**BIG.manifest, "description": random.Random(1).randbytes(200_000).hex()}
HUGE = make_tarball("huge", "1.0.0")
HUGE.manifest = {**HUGE.manifest, "description": random.Random(2).randbytes(2_500_000).hex()}
"""Its packument is too large for memory, and is sent out of a file."""
ETAG = f'"{hashlib.sha256(LARGE.data).hexdigest()}"'
PATHS = {
    "index": "/pypi/simple/small/",
    "packument": "/npm/@team%2ftool",
    "large packument": "/npm/big",
    "packument in a file": "/npm/huge",
    "small file": path_of(SMALL),
    "large file": path_of(LARGE),
    "tarball": path_of(TARBALL),
    "metadata": f"{path_of(SMALL)}.metadata",
}
WAYS: dict[str, dict[str, str]] = {
    "plain": JSON,
    "zipped": {**JSON, "Accept-Encoding": "gzip"},
    "html": {"Accept": "text/html"},
    "not modified": {"If-None-Match": "*"},
    "part": {"Range": "bytes=3-9"},
    "end": {"Range": "bytes=-1"},
    "beyond": {"Range": "bytes=9999999-"},
    "backwards": {"Range": "bytes=9-3"},
    "several parts": {"Range": "bytes=0-0,2-2"},
    "part of this": {"Range": "bytes=3-9", "If-Range": ETAG},
    "part of something else": {"Range": "bytes=3-9", "If-Range": '"other"'},
    "part of this, weakly": {"Range": "bytes=3-9", "If-Range": f"W/{ETAG}"},
    "part of what is as old": {"Range": "bytes=3-9", "If-Range": "Sat, 21 Nov 2026 12:00:00 GMT"},
    "part of what the client has": {"Range": "bytes=3-9", "If-None-Match": ETAG},
    "one of several": {"If-None-Match": f'"other", W/{ETAG}'},
    "not in gzip": {"Accept-Encoding": "gzip;q=0, *;q=0"},
    "in anything": {"Accept-Encoding": "*"},
    "publishing": {"npm-command": "publish"},
    "with a cookie": {"Cookie": "a=b"},
    "in another's words": {"X-Forwarded-Host": "evil.example", "X-HTTP-Method-Override": "DELETE"},
    "foreign": {"Host": "evil.example"},
    "wrong password": {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="},
    "unknown form": {"Accept": "image/png"},
}


@pytest.fixture(autouse=True)
async def kept(house: House, upstream: LyingUpstream) -> None:
    upstream.add(SMALL, LARGE, TARBALL, BIG, HUGE)
    for package in (SMALL, LARGE, TARBALL):
        await house.learn(package)
    await house.fetch(SMALL)  # its metadata come with it


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_both_ways_lead_to_the_same_answer(
    house: House, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    for headers in WAYS.values():  # all its forms are made, and files fetched
        await house.ask(path, headers=headers)
    before = len(house.rows("delivery"))
    given: list[Given | None] = []
    look = AtHand.look

    def looking(self: AtHand, request: BareHead) -> Given | None:
        found = look(self, request)
        given.append(found)
        return found

    monkeypatch.setattr(AtHand, "look", looking)
    short = [_told(await house.ask(path, headers=headers)) for headers in WAYS.values()]
    assert sum(each is not None for each in given) >= 4
    between = len(house.rows("delivery"))
    monkeypatch.setattr(AtHand, "look", lambda *_: None)
    long = [_told(await house.ask(path, headers=headers)) for headers in WAYS.values()]
    assert short == long
    delivered = sum(_is_delivery(path, status) for status, *_ in long)
    assert between - before == len(house.rows("delivery")) - between == delivered


async def test_what_another_process_decided_is_put_in_force_before_anything_is_at_hand(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very next request is behind, and is answered by what is decided now; the one after it isn't."""
    at_hand: list[bool] = []
    look = AtHand.look

    def looking(self: AtHand, request: BareHead) -> Given | None:
        found = look(self, request)
        at_hand.append(found is not None)
        return found

    monkeypatch.setattr(AtHand, "look", looking)
    path = PATHS["small file"]
    await house.ask(path)
    at_hand.clear()
    await house.ask(path)
    with closing(SharedEditions(house.data / "processes" / "editions")) as another:
        another.policy.bump()
        assert (await house.ask(path)).is_whole(SMALL.data)
    await house.ask(path)
    assert at_hand == [True, False, True]


def _is_delivery(path: str, status: int) -> bool:
    return status in {200, 206} and ("/-/" in path or path.endswith(".whl"))


def _told(got: Got) -> tuple[int, str, dict[str, str], bytes]:
    headers = {name.title(): value for name, value in got.headers.items()}
    for name in ("Date", "Age"):
        headers.pop(name, None)
    body = re.sub(rb"/why/[0-9a-f]+", b"/why/", got.body)
    return got.status, got.reason, headers, body


async def test_what_another_process_changed_in_a_files_row_counts_for_the_next_who_asks(house: House) -> None:
    """Its row and its bytes are remembered here."""
    path = PATHS["small file"]
    for _ in range(2):
        assert (await house.ask(path)).is_whole(SMALL.data)
    with closing(SharedEditions(house.data / "processes" / "editions")) as editions:
        database = Database.open(house.data / "registry.db", editions.tables)
        alarm = Event(kind=Kind.ALARM, at=datetime.now(UTC), actor="another process")
        await Catalogue(database).note_mismatch(
            Project("pypi", "small"), SMALL.filename, "It holds another project.", alarm
        )
        database.close()
    assert (await house.ask(path)).status == 403
