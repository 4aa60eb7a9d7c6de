"""Search over what is here: the team's own packages and the public ones somebody has already asked for.

No upstream is asked: a search text is often a private name. What policy refuses isn't found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from registry.errors import RegistryError
from registry.model.asks import SearchAsk
from registry.model.ecosystem import Ecosystem
from registry.model.names import Project
from registry.model.ports import Catalogue, Clock
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.orders import Wanted
from registry.pipeline.packs import unpack
from registry.pipeline.rendering import Renderer

MAX_WORDS = 8
MAX_FOUND = 1_000
"""Results of one search."""
MAX_TEXT = 200
"""Characters of a search text that count."""

_LATEST = Wanted(selector="latest", form="manifest")


class Searching:
    """npm's `/-/v1/search`."""

    def __init__(
        self,
        *,
        ecosystem: Ecosystem,
        policy: PolicyInForce,
        catalogue: Catalogue,
        renderer: Renderer,
        clock: Clock,
    ) -> None:
        self._ecosystem = ecosystem
        self._policy = policy
        self._catalogue = catalogue
        self._renderer = renderer
        self._clock = clock

    async def search(self, ask: SearchAsk, root: str) -> bytes:
        """The page of results that is asked for, the best match first."""
        words = ask.text[:MAX_TEXT].lower().split()[:MAX_WORDS]
        # npm's qualifiers (`author:`, `keywords:`) ask for what a description may have too.
        words = [word.partition(":")[2] or word for word in words]
        found = self._allowed(await self._matching(words))
        shown: list[dict[str, Any]] = []
        hidden = 0
        for project in found:
            if len(shown) == ask.start + ask.size:
                break
            entry = await self._entry(project, root)
            if entry is None:
                hidden += 1
            else:
                shown.append(entry)
        now = self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        page = {"objects": shown[ask.start :], "total": len(found) - hidden, "time": now}
        return msgspec.json.encode(page)

    async def _matching(self, words: Sequence[str]) -> list[Project]:
        """By name before by what they are about, and of these: private ones first, then the closest: one that
        begins so, the shorter one."""
        ranked = []
        for place, origin in enumerate(("private", "public")):
            summaries = await self._catalogue.summaries(self._ecosystem.name, origin)
            for name, summary in summaries.items():
                lowered = name.lower()
                named = all(word in lowered for word in words)
                if named or all(word in f"{lowered} {summary.lower()}" for word in words):
                    ranked.append((not named, not _begins(lowered, words), place, len(name), name))
            await asyncio.sleep(0)
        unique = dict.fromkeys(name for *_, name in sorted(ranked)[:MAX_FOUND])
        return [self._ecosystem.parse_name(name) for name in unique]

    def _allowed(self, projects: Iterable[Project]) -> list[Project]:
        policy, now = self._policy.current, self._clock.now()
        return [project for project in projects if policy.decide_project(project, now).allowed]

    async def _entry(self, project: Project, root: str) -> dict[str, Any] | None:
        """What is told of one package; None when every version of it is withheld, or it can't be read."""
        try:
            answer = await self._renderer.kept(project, _LATEST, root)
            manifest = msgspec.json.decode(unpack(answer.rendition)) if answer is not None else None
        except (RegistryError, msgspec.MsgspecError):
            return None
        if not isinstance(manifest, dict):
            return None
        published = await self._published(project, str(manifest.get("version")))
        return {
            "package": {
                "name": project.name,
                "scope": project.name.partition("/")[0].removeprefix("@")
                if "/" in project.name
                else "unscoped",
                "version": manifest.get("version"),
                "description": _text(manifest.get("description")),
                "keywords": [word for word in _several(manifest.get("keywords")) if isinstance(word, str)],
                "date": published.isoformat() if published else None,
                "links": {},
                "publisher": _person(manifest.get("_npmUser")),
                "maintainers": [_person(one) for one in _several(manifest.get("maintainers"))],
            },
            "score": {"final": 1.0, "detail": {"quality": 1.0, "popularity": 1.0, "maintenance": 1.0}},
            "searchScore": 1.0,
        }

    async def _published(self, project: Project, version: str) -> datetime | None:
        rows = await self._catalogue.holdings(project)
        return next((row.artifact.published for row in rows if row.artifact.version == version), None)


def _begins(name: str, words: Sequence[str]) -> bool:
    return bool(words) and name.rpartition("/")[2].startswith(words[0])


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _several(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _person(value: object) -> dict[str, str]:
    told = value if isinstance(value, dict) else {}
    name, email = _text(told.get("name")), _text(told.get("email"))
    return {"username": name, "email": email}
