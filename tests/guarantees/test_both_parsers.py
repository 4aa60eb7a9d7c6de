"""H1, H4, L8: the HTTP library's parser exists twice, in C and in Python; what one refuses the other refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guarantees.crew import Crew, open_crew
from tests.guarantees.house import path_of
from tests.guarantees.test_the_door import (
    BROKEN,
    CLOSE,
    RANGES,
    TARBALL,
    TRAVERSALS,
    WHEEL,
    request,
    statuses,
)
from tests.upstream import LyingUpstream

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="libraries are found in /proc")

THEIR_OWN = {
    "not HTTP": "the one in Python waits for the end of a line, until the head's deadline",
    "HTTP/9": "the one in Python reads any version of a digit and a digit, and answers in it",
    "authority form": "both refuse; the one in Python leaves the connection open until it has rested too long",
}
"""Where they differ, and nothing comes of it."""

REQUESTS = {
    **{name: sent for name, sent in BROKEN.items() if name not in THEIR_OWN},
    **{path: request(f"GET {path} HTTP/1.1", CLOSE) for path in TRAVERSALS},
    **{value: request(f"GET {path_of(WHEEL)} HTTP/1.1", CLOSE, f"Range: {value}") for value in RANGES},
    "plain": request("GET /pypi/simple/demo/ HTTP/1.1", CLOSE),
    "tab": request("GET /pypi/simple/demo/ HTTP/1.1", CLOSE, "X-A:\tb\t"),
    "expecting": request("GET /-/live HTTP/1.1", CLOSE, "Expect: 100-continue"),
}


async def test_both_parsers_give_the_same_answers(tmp_path: Path, upstream: LyingUpstream) -> None:
    upstream.add(WHEEL, TARBALL)
    for folder in ("in C", "in Python"):
        (tmp_path / folder).mkdir()
    pure = {"AIOHTTP_NO_EXTENSIONS": "1"}
    async with (
        open_crew(tmp_path / "in C", upstream, workers=1) as quick,
        open_crew(tmp_path / "in Python", upstream, pure, workers=1) as slow,
    ):
        assert (in_c(quick), in_c(slow)) == (True, False)
        for crew in (quick, slow):
            assert (await crew.fetch(WHEEL)).is_whole(WHEEL.data)
        differing = {}
        for name, sent in REQUESTS.items():
            told = [statuses(await crew.raw(sent)) for crew in (quick, slow)]
            if told[0] != told[1]:
                differing[name[:60]] = told
        assert differing == {}
        assert not upstream.asked("*smuggled*")


def in_c(crew: Crew) -> bool:
    """Whether its process has the parser that is written in C."""
    return "_http_parser" in Path(f"/proc/{crew.pids[0]}/maps").read_text()
