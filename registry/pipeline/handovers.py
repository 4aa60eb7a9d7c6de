"""Who published each release of an index, compared with the releases before it. Pure.

Two things are told: a publisher who is new to a project that others published before, and a release that lost
what its forerunners had, the attestation of who built it or the publisher that a registry itself vouches for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from registry.model.artifacts import Artifact

SETTLED = timedelta(days=14)
"""For how long after their first release a publisher is new: a stolen account may publish twice."""
SHOWN = 3
"""Publishers that are named."""


def with_handovers(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """The files of an index, each with its `handover`. Where times are missing, they are in their order."""
    files = tuple(artifacts)
    if not any(file.publisher or file.provenance or file.handover for file in files):
        return files  # nobody tells of any: that is no news
    if all(file.published is not None for file in files):
        order = sorted(range(len(files)), key=lambda at: (_release(files[at]), at))
    else:
        order = list(range(len(files)))
    first: dict[str, tuple[str, datetime | None]] = {}
    attested = ""
    told: dict[int, str] = {}
    for at in order:
        file = files[at]
        others = by_others(file, first)
        if others:
            told[at] = phrase(file.publisher, others)
        elif attested and not file.provenance and attested != file.version:
            told[at] = f"has no attestation of who built it, as {attested} and others before it have"
        if file.publisher:
            first.setdefault(file.publisher, (file.version, file.published))
        if file.provenance:
            attested = file.version
    return tuple(
        msgspec.structs.replace(file, handover=told.get(at, ""))
        if file.handover != told.get(at, "")
        else file
        for at, file in enumerate(files)
    )


def by_others(file: Artifact, first: Mapping[str, tuple[str, datetime | None]]) -> tuple[str, ...]:
    """Who published before a file's publisher did, if that is news; `first` is each one's first release."""
    if not file.publisher:
        return ()
    known = first.get(file.publisher)
    if known is not None:
        begun, now = known[1], file.published
        if begun is None or now is None or now - begun >= SETTLED:
            return ()
    names = list(first)
    earlier = names if known is None else names[: names.index(file.publisher)]
    return tuple(earlier)


def phrase(publisher: str, others: Iterable[str]) -> str:
    """What is said of a release whose publisher is new."""
    named = list(others)
    shown = ", ".join(named[-SHOWN:])
    return f"was published by {publisher}; releases before it by {shown}"


def _release(file: Artifact) -> datetime:
    moment = file.released or file.published
    assert moment is not None
    return moment
