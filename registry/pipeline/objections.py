"""Objections against bytes: they can't be checked, or aren't what they were at first sight."""

from __future__ import annotations

import msgspec

from registry.model.artifacts import Artifact, Digest
from registry.model.decisions import Decision, Effect, Objection


def with_objection(decision: Decision, objection: Objection) -> Decision:
    """The decision with one objection more. Bytes are never a matter of mode: `observe` doesn't lift this."""
    mode = "guarded" if decision.mode == "observe" else decision.mode
    objections = decision.objections if decision.mode != "observe" else ()
    return msgspec.structs.replace(decision, mode=mode, objections=(*objections, objection))


def _integrity(reason: str) -> Objection:
    return Objection(
        rule="integrity",
        effect=Effect.DENY,
        reason=reason,
        remedy="Compare with the project's own release notes; an operator can look at `registry audit log`.",
    )


def weak(artifact: Artifact) -> Objection:
    """The objection against a file whose source announces no digest to trust it by."""
    return Objection(
        rule="integrity",
        effect=Effect.DENY,
        reason=f"'{artifact.filename}' is announced without a sha256, sha384 or sha512",
        remedy="Use an upstream that announces strong digests.",
    )


def changed(artifact: Artifact) -> Objection:
    """The objection against a file that its source announces with another digest."""
    return _integrity(f"'{artifact.filename}' is announced with another digest than at first sight")


def weakened(artifact: Artifact, pin: Digest) -> Objection:
    """The objection against a file that its source no longer announces with the pin's kind of digest."""
    return _integrity(f"'{artifact.filename}' is announced without the {pin.algorithm} it had at first sight")
