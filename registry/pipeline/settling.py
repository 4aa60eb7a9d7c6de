"""What is said about a file in the end: by the rules, by its digests, and by the status of a private project.

Every door that gives a file, and everything that tells beforehand what a door would say, asks this.
"""

from __future__ import annotations

from datetime import UTC, datetime

from registry.model.artifacts import Artifact, Holding
from registry.model.decisions import Decision
from registry.model.indexes import Status
from registry.model.names import Project
from registry.pipeline.objections import changed, weak, weakened, with_objection
from registry.pipeline.standing import against_files

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def settled(decision: Decision, holding: Holding, status: Status | None) -> Decision:
    """The rules' `decision` about a file, with what its row and `status`, its project's, say against it."""
    decision = _trusted(holding, decision)
    if holding.origin != "private":
        return decision
    objection = against_files(holding.artifact.project, status)
    return decision if objection is None else with_objection(decision, objection)


def unseen(project: Project, version: str, filename: str = "") -> Artifact:
    """A file of which nothing is known, as one that nothing is wrong with but its number."""
    return Artifact(
        project=project,
        version=version,
        filename=filename,
        published=LONG_AGO,
        provenance="unseen",
        attestation="pending",
    )


def _trusted(holding: Holding, decision: Decision) -> Decision:
    """Bytes that can't be checked, or that changed since first sight and aren't held, are refused."""
    if holding.pin is None:
        return with_objection(decision, weak(holding.artifact))
    if holding.blob is not None:
        return decision
    if holding.conflict is not None:
        return with_objection(decision, changed(holding.artifact))
    if holding.pin.algorithm not in {digest.algorithm for digest in holding.artifact.digests}:
        return with_objection(decision, weakened(holding.artifact, holding.pin))
    return decision
