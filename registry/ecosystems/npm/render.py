"""Index → packument and version manifests, as npm, pnpm, yarn and bun read them.

Of a version only `dist.tarball` and `dist.attestations.url` are ours; every other value is the bytes that
its source sent: integrity, signatures, deprecations and trust evidence can't be touched by accident.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from registry.ecosystems.npm.entries import FIELDS, Fields, announced_signatures, moment, value
from registry.ecosystems.npm.index import settled_tags
from registry.ecosystems.npm.names import escaped_name
from registry.ecosystems.npm.negotiation import INSTALL
from registry.ecosystems.npm.paths import artifact_path
from registry.model.artifacts import Artifact, Signature
from registry.model.decisions import Refusal
from registry.model.indexes import Index, Representation

ABBREVIATED = frozenset(
    "name version deprecated dependencies optionalDependencies devDependencies "  # noqa: SIM905 - one text
    "bundleDependencies bundledDependencies peerDependencies peerDependenciesMeta acceptDependencies bin "
    "directories dist engines _hasShrinkwrap hasInstallScript cpu os libc funding _npmUser".split()
)
"""What an installer needs of a version; `_npmUser` because pnpm reads its trust evidence there."""

_Abbreviated = msgspec.defstruct(
    "_Abbreviated",
    [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in sorted(ABBREVIATED)],
    gc=False,
)
"""The same as values that stay the bytes they are."""
_ABBREVIATED = msgspec.json.Decoder(_Abbreviated)
_SIGNATURES = msgspec.json.Decoder(tuple[Signature, ...])

_VERSIONS = object()
"""Stands in a document for the versions, which are written one by one."""

_TOLD_REASONS = 10
_TOLD_VERSIONS = 5


def render_index(
    index: Index, withheld: Mapping[str, Refusal], base: str, representation: Representation
) -> bytes:
    """The packument without the withheld versions, which are told in `policyRestrictions` (npm 11)."""
    return b"".join(stream_index(index, withheld, base, representation))


def stream_index(
    index: Index, withheld: Mapping[str, Refusal], base: str, representation: Representation
) -> Iterator[bytes]:
    """The same in pieces, a version at a time."""
    offered = [a for a in index.artifacts if a.filename not in withheld]
    carried = FIELDS.decode(index.carried) if index.carried else {}
    times = _times(offered, carried)
    install = representation == INSTALL
    document: dict[str, object] = {"name": index.project.name}
    if install:
        document["modified"] = times.get("modified")
    else:
        document |= carried
    document["dist-tags"] = settled_tags(index.tags, [a.version for a in offered])
    document["versions"] = _VERSIONS
    # Not part of npm's abbreviated form, but pnpm needs it there for its own age rule.
    document["time"] = times or None
    if len(offered) < len(index.artifacts):
        document["policyRestrictions"] = _restrictions(index, withheld)
    opening = b"{"
    for key, part in document.items():
        if part is None:
            continue
        yield opening + msgspec.json.encode(key) + b":"
        if part is _VERSIONS:
            yield from _versions(offered, base, representation.files or base, abbreviated=install)
        else:
            yield msgspec.json.encode(part)
        opening = b","
    yield b"}"


def _versions(offered: Iterable[Artifact], base: str, files: str, *, abbreviated: bool) -> Iterator[bytes]:
    opening = b"{"
    for artifact in offered:
        yield opening + msgspec.json.encode(artifact.version) + b":"
        yield _manifest(artifact, base, files, abbreviated=abbreviated)
        opening = b","
    yield b"{}" if opening == b"{" else b"}"


def render_manifest(
    index: Index, withheld: Mapping[str, Refusal], base: str, selector: str | None
) -> bytes | None:
    """One version by its number or a dist-tag; None when there is none, or it is withheld."""
    offered = [a for a in index.artifacts if a.filename not in withheld]
    version = settled_tags(index.tags, [a.version for a in offered]).get(selector or "", selector)
    chosen = next((a for a in offered if a.version == version), None)
    return None if chosen is None else _manifest(chosen, base, base)


def _manifest(artifact: Artifact, base: str, files: str, *, abbreviated: bool = False) -> bytes:
    if abbreviated:
        short: Any = _ABBREVIATED.decode(artifact.carried)
        if artifact.install_script:
            short.hasInstallScript = msgspec.Raw(b"true")
        short.dist = msgspec.Raw(_dist(short.dist, artifact, base, files))
        return msgspec.json.encode(short)
    fields = FIELDS.decode(artifact.carried)
    fields["dist"] = msgspec.Raw(_dist(fields["dist"], artifact, base, files))
    return msgspec.json.encode(fields)


def _dist(raw: msgspec.Raw, artifact: Artifact, base: str, files: str) -> bytes:
    dist = FIELDS.decode(raw)
    dist["tarball"] = _text(f"{files}/{artifact_path(artifact)}")
    if not _has_signatures(dist, artifact.signatures):  # a private one: its registry are we
        dist["signatures"] = msgspec.Raw(msgspec.json.encode(artifact.signatures))
    attestations = dist.get("attestations")
    if attestations is not None and isinstance(value(attestations), dict):
        # npm resolves this URL's path against the registry's origin, so it has to be a path of ours.
        address = f"{base}/-/npm/v1/attestations/{escaped_name(artifact.project)}@{artifact.version}"
        changed: Fields = FIELDS.decode(attestations) | {"url": _text(address)}
        dist["attestations"] = msgspec.Raw(msgspec.json.encode(changed))
    return msgspec.json.encode(dist)


def _has_signatures(dist: Fields, signatures: tuple[Signature, ...]) -> bool:
    try:
        if _SIGNATURES.decode(dist["signatures"]) == signatures:
            return True
    except (KeyError, msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # none, or entries that were passed over
    return announced_signatures(value(dist.get("signatures"))) == signatures


def _times(offered: Sequence[Artifact], carried: Fields) -> dict[str, str]:
    """`created`, `modified` and one for each version whose time is known, oldest first as npm has it."""
    given = value(carried.get("time"))
    given = given if isinstance(given, dict) else {}
    known = sorted((a.published, a.version) for a in offered if a.published is not None)
    created = moment(given.get("created")) or (known[0][0] if known else None)
    modified = (
        moment(given.get("modified"))
        or moment(value(carried.get("modified")))
        or (known[-1][0] if known else None)
    )
    bounds = (("created", created), ("modified", modified))
    return {key: _iso(at) for key, at in bounds if at is not None} | {v: _iso(at) for at, v in known}


def _restrictions(index: Index, withheld: Mapping[str, Refusal]) -> dict[str, object]:
    """`policyRestrictions` as npm 11 (npm-pick-manifest) takes it: stubs by version, one message for all.

    npm chooses a restricted version only where nothing else fits, and then stops with E403 and the message.
    """
    held = [a for a in index.artifacts if a.filename in withheld]
    stubs = {a.version: {"name": index.project.name, "version": a.version} for a in held}
    return {"versions": stubs, "message": _message((a.version, withheld[a.filename]) for a in reversed(held))}


def _message(held: Iterable[tuple[str, Refusal]]) -> str:
    """A line for each reason, the newest version first: the message can't know which version is asked for."""
    reasons: dict[str, tuple[list[str], Refusal]] = {}
    for version, refusal in held:
        leading = refusal.decision.leading
        reasons.setdefault(leading.reason if leading else "", ([], refusal))[0].append(version)
    lines = [f"{_listed(versions)}: {refusal.message}" for versions, refusal in reasons.values()]
    if len(lines) > _TOLD_REASONS:
        lines[_TOLD_REASONS:] = [
            f"and {len(lines) - _TOLD_REASONS} more reasons; ask for one version to see its own."
        ]
    return "\n".join(lines)


def _listed(versions: Sequence[str]) -> str:
    more = len(versions) - _TOLD_VERSIONS
    return ", ".join(versions[:_TOLD_VERSIONS]) + (f" and {more} more" if more > 0 else "")


def _text(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
