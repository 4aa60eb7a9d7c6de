"""What a document becomes: pins in the place of digests, metadata that is only ours, reasons on what is withheld."""

from __future__ import annotations

import hashlib
import json
import pickle
from datetime import timedelta
from typing import Any

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.model.artifacts import Digest, Known
from registry.model.decisions import Effect
from registry.model.indexes import Document
from registry.pipeline.objections import weak, with_objection
from registry.pipeline.orders import Job, Prepared, Wanted
from registry.pipeline.packs import unpack
from registry.pipeline.prepare import prepare
from registry.policy.loader import parse_policy
from tests.policy.worlds import GUARDED, KNOWN, NOW
from tests.upstream import Distribution, make_sdist, make_wheel
from tests.upstream.documents import simple_json

PYPI = ECOSYSTEMS["pypi"]
DEMO = PYPI.parse_name("demo")
JSON = Wanted(PYPI.negotiate("application/vnd.pypi.simple.v1+json"))
OLD, NEW, SOURCE = make_wheel("demo", "1.0"), make_wheel("demo", "2.0"), make_sdist("demo", "2.0")


def job(*files: Distribution, known: dict[str, Known] | None = None, **more: Any) -> Job:
    body = simple_json("demo", files, "https://files.example", bare=False)
    document = Document(
        body=body,
        content_type="application/vnd.pypi.simple.v1+json",
        url="https://files.example/simple/demo/",
        checked=NOW,
    )
    facts: dict[str, Any] = {
        "origin": "public",
        "root": "http://localhost:8080",
        "secret": b"s",
        "now": NOW,
        "wanted": JSON,
    }
    return Job(project=DEMO, document=document, known=known or {}, **(facts | more))


def run(made: Job, policy: str = GUARDED) -> Prepared:
    return prepare(made, parse_policy(policy, (), ECOSYSTEMS, KNOWN, {}).artifact_rules(DEMO))


def shown(prepared: Prepared) -> dict[str, Any]:
    assert prepared.rendition is not None
    return {file["filename"]: file for file in json.loads(unpack(prepared.rendition))["files"]}


def pinned(digest: str, **more: Any) -> Known:
    return Known(first_seen=NOW, pin=Digest("sha256", digest), **more)


def sha256(file: Distribution) -> str:
    return file.hashes["sha256"]


def test_an_unknown_file_is_shown_as_announced() -> None:
    prepared = run(job(OLD, NEW))
    assert shown(prepared)[OLD.filename]["hashes"] == {"sha256": sha256(OLD)}
    assert [artifact.filename for artifact in prepared.listing.artifacts] == [OLD.filename, NEW.filename]
    assert (prepared.refusals, prepared.alarms) == ((), ())


def test_the_pin_takes_the_place_of_another_digest_and_the_bytes_we_hold_stay_offered() -> None:
    prepared = run(job(OLD, NEW, known={OLD.filename: pinned("b" * 64, held=True)}))
    file = shown(prepared)[OLD.filename]
    assert (file["hashes"], file.get("yanked", False)) == ({"sha256": "b" * 64}, False)


def test_another_digest_of_bytes_that_we_do_not_hold_withholds_them() -> None:
    prepared = run(job(OLD, NEW, known={OLD.filename: pinned("b" * 64)}))
    assert "at first sight" in shown(prepared)[OLD.filename]["yanked"]
    assert "at first sight" in prepared.alarms[0]
    assert [refusal.decision.subject.filename for refusal in prepared.refusals] == [OLD.filename]


def test_what_is_learned_is_what_was_announced() -> None:
    """Else a changed digest would never reach the catalogue, whose rule it is to notice."""
    prepared = run(job(OLD, known={OLD.filename: pinned("b" * 64, held=True, metadata="c" * 64, size=7)}))
    (artifact,) = prepared.listing.artifacts
    assert (str(artifact.digests[0]), artifact.size) == (f"sha256:{sha256(OLD)}", len(OLD.data))
    assert artifact.carried == b""


def test_metadata_is_that_of_the_verified_file_else_what_its_source_announces() -> None:
    """P7: pip fails an install whose announced metadata isn't there, so what is offered can be had."""
    prepared = run(job(OLD, NEW, known={OLD.filename: pinned(sha256(OLD), held=True, metadata="c" * 64)}))
    files = shown(prepared)
    assert files[OLD.filename]["core-metadata"] == {"sha256": "c" * 64}
    assert files[NEW.filename]["core-metadata"] == {"sha256": hashlib.sha256(NEW.metadata or b"").hexdigest()}


def test_the_size_is_that_of_the_bytes_we_hold() -> None:
    prepared = run(job(OLD, known={OLD.filename: pinned(sha256(OLD), held=True, size=4)}))
    assert shown(prepared)[OLD.filename]["size"] == 4


@pytest.mark.parametrize("hashes", [{"md5": "a" * 32}, {"sha1": "a" * 40}], ids=str)
def test_a_weak_digest_withholds(hashes: dict[str, str]) -> None:
    bare = make_wheel("demo", "1.0")
    bare.hashes = hashes
    prepared = run(job(bare, NEW))
    assert "without a sha256" in shown(prepared)[bare.filename]["yanked"]


@pytest.mark.parametrize("mode", ["guarded", "observe"])
def test_bytes_are_never_a_matter_of_mode(mode: str) -> None:
    text = f'[pypi]\nmode = "{mode}"\ndeny = ["demo==2.0"]\n[npm]\nmode = "guarded"\n'
    other = make_wheel("demo", "3.0")
    prepared = run(job(OLD, NEW, other, known={OLD.filename: pinned("b" * 64)}), text)
    withheld = {name for name, file in shown(prepared).items() if file.get("yanked")}
    assert withheld == ({OLD.filename} if mode == "observe" else {OLD.filename, NEW.filename})


def test_where_all_is_withheld_pip_is_shown_the_files_as_they_are() -> None:
    """pip says "from versions: none" where everything is yanked; the bytes tell why."""
    text = '[pypi]\nmode = "guarded"\ndeny = ["demo<9"]\n[npm]\nmode = "guarded"\n'
    prepared = run(job(OLD, NEW), text)
    assert not any(file.get("yanked") for file in shown(prepared).values())
    assert len(prepared.refusals) == 2


def test_a_document_to_be_written_back_has_everything() -> None:
    text = '[pypi]\nmode = "guarded"\ndeny = ["demo<2"]\n[npm]\nmode = "guarded"\n'
    prepared = run(job(OLD, NEW, filtered=False), text)
    assert not any(file.get("yanked") for file in shown(prepared).values())
    assert prepared.refusals == ()


def test_a_file_of_a_private_project_that_nobody_published_here_is_not_listed() -> None:
    prepared = run(job(OLD, NEW, origin="private", known={OLD.filename: pinned(sha256(OLD))}))
    assert list(shown(prepared)) == [OLD.filename]
    assert [artifact.filename for artifact in prepared.listing.artifacts] == [OLD.filename]


def test_learning_alone_renders_nothing() -> None:
    prepared = run(job(OLD, SOURCE, wanted=None))
    assert prepared.rendition is None
    assert len(prepared.listing.artifacts) == 2


def test_job_and_answer_can_be_sent_to_a_worker() -> None:
    made = job(OLD, NEW, known={OLD.filename: pinned("b" * 64)})
    rules = parse_policy(GUARDED, (), ECOSYSTEMS, KNOWN, {}).artifact_rules(DEMO)
    there = pickle.loads(pickle.dumps((made, rules)))
    assert pickle.loads(pickle.dumps(prepare(*there))) == prepare(made, rules)


def test_an_objection_about_bytes_lifts_observation() -> None:
    decision = parse_policy(
        GUARDED.replace("guarded", "observe", 1), (), ECOSYSTEMS, KNOWN, {}
    ).decide_project(DEMO, NOW + timedelta(days=1))
    assert decision.allowed
    refused = with_objection(decision, weak(run(job(OLD)).listing.artifacts[0]))
    assert not refused.allowed
    assert [objection.effect for objection in refused.objections][-1] is Effect.DENY
