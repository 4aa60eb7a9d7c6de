"""What the status of a private project forbids (PEP 792). An admin gives it, and no mode weakens it."""

from __future__ import annotations

from registry.model.decisions import Effect, Objection
from registry.model.indexes import Status
from registry.model.names import Project


def against_files(project: Project, status: Status | None) -> Objection | None:
    """The objection against giving out files: those of a quarantined project."""
    return None if status is None or status.lists_files else _objection(project, status)


def against_uploads(project: Project, status: Status | None) -> Objection | None:
    """The objection against new files: neither an archived nor a quarantined project takes any."""
    return None if status is None or status.takes_uploads else _objection(project, status)


def _objection(project: Project, status: Status) -> Objection:
    because = f": {status.reason}" if status.reason else ""
    return Objection(
        rule="status",
        effect=Effect.DENY,
        reason=f"'{project.name}' is {status.status}{because}".encode("ascii", "replace").decode(),
        remedy=f"registry private status {project.name} active",
    )
