"""What a source lists now against what was seen before: files that are new, that changed, that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import apsw

from registry.model.artifacts import Artifact, Holding
from registry.model.listings import Listing
from registry.model.names import Project
from registry.storage import artifact_rows as rows
from registry.storage import listings, pinning
from registry.storage.holdings import COLUMNS, FACTS, facts_of
from registry.storage.provenance_log import append

_ALL = f"SELECT {COLUMNS} FROM artifact WHERE ecosystem = ? AND project = ?"  # noqa: S608 - constants
_FACTS = len(FACTS.split(", "))
_ORIGIN_AT, _GONE_AT, _CONFLICT_AT, _WITHDRAWN_AT = (
    COLUMNS.split(", ").index(name) for name in ("origin", "gone", "conflict", "withdrawn")
)


class Differences(NamedTuple):
    """What is to be written."""

    new: Listing
    """Artifacts that were never seen."""
    changed: Sequence[Artifact] = ()
    """Those that aren't as they were."""
    vanished: Sequence[str] = ()
    """Names of files that are no longer listed."""

    def __bool__(self) -> bool:
        return bool(self.new.pages or self.changed or self.vanished)


def differences(
    connection: apsw.Connection,
    project: Project,
    artifacts: Sequence[Artifact],
    origin: str,
    vanished_as: str,
) -> Differences:
    """Hold what is listed now against rows and listings."""
    key = (project.ecosystem, project.name)
    kept = {row[0]: row for row in connection.execute(_ALL, key)}
    listed = listings.listed_in(connection.execute(listings.PAGES, key).fetchall(), kept.keys())

    def is_changed(artifact: Artifact) -> bool:
        row = kept.get(artifact.filename)
        if row is None:
            return listed[artifact.filename] != (origin, artifact)
        if row[_ORIGIN_AT] != origin:
            return False
        return bool(row[_GONE_AT] or row[_CONFLICT_AT] or row[:_FACTS] != facts_of(artifact))

    seen = kept.keys() | listed.keys()
    now = {artifact.filename for artifact in artifacts}
    new = Listing.of(artifact for artifact in artifacts if artifact.filename not in seen)
    changed = [artifact for artifact in artifacts if artifact.filename in seen and is_changed(artifact)]
    vanished = [
        str(name)
        for name, row in kept.items()
        if row[_ORIGIN_AT] == origin
        and name not in now
        and (not row[_GONE_AT] or row[_WITHDRAWN_AT] not in {"", vanished_as})
    ]
    vanished += [name for name, (by, _) in listed.items() if by == origin and name not in now]
    return Differences(new, changed, vanished)


def record(
    connection: apsw.Connection,
    project: Project,
    found: Differences,
    origin: str,
    now: datetime,
    vanished_as: str,
    *,
    was_known: bool,
) -> None:
    """Write what is new, changed and gone, and log what is alarming of it. `was_known` says whether anything
    was known of the project when it was compared."""
    unseen, met = found.new, list[Artifact]()
    if was_known or rows.is_known(connection, project):  # another process may have been quicker with some
        unseen, met = _parted(connection, project, found.new)
    listings.write(connection, project, unseen, origin, now)
    for artifact in (*met, *found.changed):
        _merge(connection, artifact, origin, now)
    for filename in found.vanished:
        known = rows.find(connection, project, filename)
        if known is not None and known.origin == origin:
            gone = pinning.taken_back(known, vanished_as)
            rows.write(connection, gone)
            _tell(connection, known, gone, now)


def _parted(
    connection: apsw.Connection, project: Project, listing: Listing
) -> tuple[Listing, list[Artifact]]:
    """What of a listing was never seen, and the rest."""
    met = [a for a in listing.artifacts if rows.find(connection, project, a.filename) is not None]
    if not met:
        return listing, met
    names = {artifact.filename for artifact in met}
    return Listing.of(a for a in listing.artifacts if a.filename not in names), met


def _merge(connection: apsw.Connection, artifact: Artifact, origin: str, now: datetime) -> None:
    known = rows.find(connection, artifact.project, artifact.filename)
    if known is None:
        rows.write(connection, pinning.first_seen(artifact, origin, now))
        return
    merged = pinning.seen_again(known, artifact)
    if known.origin != origin or merged == known:
        return
    rows.write(connection, merged)
    _tell(connection, known, merged, now)


def _tell(connection: apsw.Connection, before: Holding, after: Holding, now: datetime) -> None:
    for alarm in pinning.alarms(before, after, now):
        append(connection, alarm)
