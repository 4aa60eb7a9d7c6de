"""document + pins + policy → what a client gets, and what is new. Pure and picklable.

Parsing and rendering a packument of megabytes takes hundreds of milliseconds, so `prepare` runs in a worker
process for large documents; everything it takes and gives is small, immutable and picklable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from registry.ecosystems import ECOSYSTEMS
from registry.model.artifacts import Artifact, Digest, Known, is_trusted
from registry.model.attestations import Attested, vouched
from registry.model.decisions import Effect, Objection, Refusal, refuse
from registry.model.indexes import Document, Index, Rendition
from registry.model.listings import Listing
from registry.pipeline.handovers import with_handovers
from registry.pipeline.large import opened, pack_pieces, relieve
from registry.pipeline.objections import changed, weak, weakened, with_objection
from registry.pipeline.orders import Job, Prepared, Rules
from registry.pipeline.packs import pack

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of what nobody tells the time of."""
KEPT_HERE = "here"
"""The provenance URL of a file whose provenance no source offers, and we do."""


def prepare(job: Job, rules: Rules) -> Prepared:
    """Read a document, decide about every file in it, render what is wanted.

    Raises SourceFailed when the document can't be understood, DocumentLost when its file isn't what was kept.
    """
    streams = ECOSYSTEMS[job.project.ecosystem].stream_index is not None
    with opened(job.document, job.scratch, mapped=streams) as document:
        return _prepared(job, document, rules)


def _prepared(job: Job, document: Document, rules: Rules) -> Prepared:
    ecosystem = ECOSYSTEMS[job.project.ecosystem]
    index = dated(ecosystem.read_index(job.project, document), job.known)
    index = msgspec.structs.replace(index, artifacts=with_handovers(index.artifacts))
    relieve(document)
    # what an admin says of a private project isn't a row's business
    hidden = index.status is not None and not index.status.lists_files
    quarantined = hidden and job.origin == "public"
    if job.origin == "private":
        # A publication on its way in, one that was cut short, or a stranger's: none is listed.
        published = tuple(a for a in index.artifacts if a.filename in job.known)
        index = msgspec.structs.replace(index, artifacts=published)
    announced = _as_quarantined(index.artifacts) if quarantined else index.artifacts
    artifacts, doubts = _as_known(index.artifacts, job)
    # A project that is refused altogether shows its files as they are: its bytes tell why, at the file door.
    filtered = job.filtered and rules.decide_name(job.now).allowed
    withheld = _withheld(artifacts, doubts, job, rules) if filtered else {}
    rendition, refused = None, None
    if job.wanted is not None:
        left_out = {name for name, refusal in withheld.items() if _hides(refusal)}
        shown = () if hidden else [a for a in artifacts if a.filename not in left_out]
        index = msgspec.structs.replace(index, artifacts=_as_shown(shown, job))
        rendition, refused = _render(job, index, withheld, rules.revision)
    said = [o for refusal in withheld.values() for o in refusal.decision.objections]
    ends = (*rules.turns, *(o.until for o in said if o.until is not None))
    return Prepared(
        listing=Listing.of(announced) if job.learns else Listing(),
        tags=dict(index.tags),
        quarantined=quarantined,
        rendition=rendition,
        refusals=tuple(withheld.values()),
        refused=refused,
        revision=rules.revision,
        changes_at=min((end for end in ends if end > job.now), default=None),
        alarms=(*index.dropped, *(doubt.reason for doubt in doubts.values())),
        summary=index.summary,
    )


def _as_known(artifacts: Sequence[Artifact], job: Job) -> tuple[list[Artifact], dict[str, Objection]]:
    """The files with what we know of them for ourselves, and what speaks against their bytes."""
    found = list(artifacts)
    doubts: dict[str, Objection] = {}
    for at, artifact in enumerate(artifacts):
        known = job.known.get(artifact.filename)
        if known is not None:
            found[at] = _pinned(artifact, known, job.origin)
        doubt = _doubt(artifact, known)
        if doubt is not None:
            doubts[artifact.filename] = doubt
    signed = _signing(job)
    if signed is not None:
        found = [signed(artifact, job.known.get(artifact.filename)) for artifact in found]
    if job.attested:
        found = [_with_provenance(artifact, job.attested.get(artifact.filename)) for artifact in found]
    return found, doubts


def _withheld(
    artifacts: Sequence[Artifact], doubts: Mapping[str, Objection], job: Job, rules: Rules
) -> dict[str, Refusal]:
    """Refusals of the files that may not pass, by name."""
    suspects, decide = rules.suspects(artifacts, job.now), rules.deciding(job.now)
    withheld = {}
    doubtful = [a for a in artifacts if a.filename in suspects or a.filename in doubts]
    for artifact in doubtful:
        filename = artifact.filename
        known, attested = job.known.get(filename), job.attested.get(filename)
        decision = decide(_vouched(artifact, attested), known.first_seen if known else job.now)
        if filename in doubts:
            decision = with_objection(decision, doubts[filename])
        if not decision.allowed:
            withheld[filename] = refuse(decision, job.root, job.secret)
    return withheld


def _as_shown(artifacts: Sequence[Artifact], job: Job) -> tuple[Artifact, ...]:
    """The files as clients are told of them."""
    if job.missing_times != "none" and job.project.ecosystem == "npm":
        artifacts = [_timed(artifact, job.known.get(artifact.filename), job) for artifact in artifacts]
    return tuple(artifacts)


def _as_quarantined(artifacts: Iterable[Artifact]) -> tuple[Artifact, ...]:
    """Files of a project that its index has quarantined as a whole (PEP 792)."""
    return tuple(msgspec.structs.replace(artifact, withdrawn="quarantined") for artifact in artifacts)


def _with_provenance(artifact: Artifact, attested: Attested | None) -> Artifact:
    """The artifact with the provenance that we keep, where its source offers none."""
    if attested is None or not attested.provenance or artifact.provenance:
        return artifact
    return msgspec.structs.replace(artifact, provenance=KEPT_HERE)


def _signing(job: Job) -> Callable[[Artifact, Known | None], Artifact] | None:
    """What signs a private npm file by the digest of its publication; None for others."""
    if job.origin != "private" or not job.signing_key or job.project.ecosystem != "npm":
        return None
    from registry.provenance.signatures import RegistryKey, message  # noqa: PLC0415 - 7 MB that few workers need

    key = RegistryKey(job.signing_key)

    def signed(artifact: Artifact, known: Known | None) -> Artifact:
        if known is None or known.pin is None:
            return artifact
        signature = key.sign(message(artifact.project.name, artifact.version, known.pin))
        return msgspec.structs.replace(artifact, signatures=(signature,))

    return signed


def _render(
    job: Job, index: Index, withheld: Mapping[str, Refusal], revision: str
) -> tuple[Rendition | None, Refusal | None]:
    ecosystem = ECOSYSTEMS[job.project.ecosystem]
    wanted = job.wanted
    assert wanted is not None
    base = f"{job.root}/{ecosystem.name}"
    if wanted.form == "tags":
        versions = {a.version for a in index.artifacts if a.filename not in withheld}
        tags = ecosystem.settle_tags(index.tags, versions) if ecosystem.settle_tags else {}
        return pack(msgspec.json.encode(tags), "application/json", revision), None
    if wanted.form == "manifest":
        version = index.tags.get(wanted.selector or "", wanted.selector)
        body = ecosystem.render_manifest(index, withheld, base, wanted.selector)
        if body is None:
            refusals = (each for each in withheld.values() if each.decision.subject.version == version)
            return None, next(refusals, None)
        return pack(body, "application/json", revision), None
    told = {name: refusal for name, refusal in withheld.items() if not _hides(refusal)}
    if withheld and all(artifact.filename in withheld for artifact in index.artifacts):
        if ecosystem.render_tombstone is None:
            return None, next(iter(withheld.values()))
        told = {}  # pip shows nothing at all of a project whose every file is yanked
    representation = wanted.representation
    assert representation is not None
    if job.document.path and ecosystem.stream_index is not None:
        pieces = ecosystem.stream_index(index, told, base, representation)
        notice = _notice(told)
        return pack_pieces(pieces, representation.content_type, revision, notice, job.scratch), None
    body = ecosystem.render_index(index, told, base, representation)
    return pack(body, representation.content_type, revision, _notice(told), job.scratch), None


def dated(index: Index, known: Mapping[str, Known]) -> Index:
    """The index with what only all of its files together tell about the age of each."""
    releases: dict[str, datetime] = {}
    for artifact in index.artifacts:
        if artifact.published is not None:
            earliest = releases.get(artifact.version)
            if earliest is None or artifact.published < earliest:
                releases[artifact.version] = artifact.published
    looked = min((row.first_seen for row in known.values()), default=None)

    def with_age(artifact: Artifact) -> Artifact:
        if releases:
            return msgspec.structs.replace(artifact, released=releases.get(artifact.version), undated=False)
        row = known.get(artifact.filename)
        old = row.first_seen == looked if row else looked is None
        return msgspec.structs.replace(artifact, undated=old)

    return msgspec.structs.replace(index, artifacts=tuple(map(with_age, index.artifacts)))


def _timed(artifact: Artifact, known: Known | None, job: Job) -> Artifact:
    """The artifact as npm's clients are shown it: without a time yarn installs none, and pnpm no range.

    What appeared since we first looked is as old as our first sight of it. How old the rest is, nobody can
    say; policy has decided whether it passes, and 1970 is a time that nobody takes for a real one.
    """
    if artifact.published is not None or job.missing_times == "none" or job.project.ecosystem != "npm":
        return artifact
    seen = known.first_seen if known is not None else job.now
    old = artifact.undated and job.missing_times == "epoch"
    return msgspec.structs.replace(artifact, published=EPOCH if old else seen)


def _vouched(artifact: Artifact, attested: Attested | None) -> Artifact:
    return vouched(artifact, attested.judgement, attested.handover) if attested else vouched(artifact, None)


def _hides(refusal: Refusal | None) -> bool:
    return refusal is not None and any(o.effect is Effect.HIDE for o in refusal.decision.objections)


def _notice(withheld: Mapping[str, Refusal]) -> tuple[tuple[str, str], ...]:
    if not withheld:
        return ()
    first = next(iter(withheld.values()))
    text = f"{len(withheld)} version(s) withheld; the first: {first.message}"
    return (("X-Registry-Withheld", text.encode("ascii", "replace").decode()[:300]),)


def _pinned(artifact: Artifact, known: Known, origin: str) -> Artifact:
    """The artifact with its digest of first sight, and what its verified bytes say, in place."""
    changed: dict[str, object] = {}
    if known.metadata is not None:  # over what a source offers beside the file
        changed["metadata"] = Digest("sha256", known.metadata)
    elif origin == "private":
        changed["metadata"] = None
    if known.mismatch:
        changed["mismatch"] = known.mismatch
    if known.size is not None:
        changed["size"] = known.size
    if artifact.published is None and origin == "private":
        changed["published"] = known.first_seen
    if known.pin is not None and known.pin not in artifact.digests:
        changed["digests"] = (known.pin,)
    return msgspec.structs.replace(artifact, **changed) if changed else artifact


def _doubt(artifact: Artifact, known: Known | None) -> Objection | None:
    """What speaks against a file's bytes, as its source announces them now."""
    if known is None or known.pin is None:
        return None if is_trusted(artifact.digests) else weak(artifact)
    if known.held or known.pin in artifact.digests:
        return None
    if any(digest.algorithm == known.pin.algorithm for digest in artifact.digests):
        return changed(artifact)
    return weakened(artifact, known.pin)


def prepare_packed(job: bytes, rules: Rules) -> bytes:
    """The same over a process boundary: thousands of values cross it as bytes in a few milliseconds, pickled
    they would hold the interpreter for tenths of a second."""
    return msgspec.msgpack.encode(prepare(msgspec.msgpack.decode(job, type=Job), rules))


def unpack_prepared(answer: bytes) -> Prepared:
    """What `prepare_packed` gave."""
    return msgspec.msgpack.decode(answer, type=Prepared)
