import base64
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from registry.ecosystems.npm import NPM
from registry.errors import Malformed, TooLarge
from registry.model.artifacts import Digest
from registry.model.publications import DOCUMENT_BYTES, Publication, Upload
from tests.ecosystems.npm.world import integrity, package, publication

NAME = "@acme/tool"


def parse(document: Any, name: str = NAME) -> Publication | None:
    assert NPM.parse_document is not None
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return NPM.parse_document(NPM.parse_name(name), body, io.BytesIO())


def accepted(document: Any, name: str = NAME) -> Publication:
    found = parse(document, name)
    assert found is not None
    return found


def test_a_publication_is_read_with_digests_of_our_own() -> None:
    document = publication(NAME, "1.0.0", scripts={"postinstall": "node x"})
    data = base64.b64decode(document["_attachments"]["@acme/tool-1.0.0.tgz"]["data"])
    artifact = accepted(document).artifact
    assert artifact.project == NPM.parse_name(NAME)
    assert (artifact.filename, artifact.version, artifact.size) == ("tool-1.0.0.tgz", "1.0.0", len(data))
    assert Digest("sha512", hashlib.sha512(data).hexdigest()) in artifact.digests
    assert Digest("sha256", hashlib.sha256(data).hexdigest()) in artifact.digests
    assert artifact.install_script
    assert artifact.published is None


def test_its_body_is_the_document_without_the_tarball_and_with_our_digests() -> None:
    document = publication(NAME, "1.0.0")
    data = base64.b64decode(document["_attachments"]["@acme/tool-1.0.0.tgz"]["data"])
    del document["versions"]["1.0.0"]["dist"]["integrity"]
    body = json.loads(accepted(document).body)
    assert "_attachments" not in body
    assert body["versions"]["1.0.0"]["dist"]["integrity"] == integrity(data)
    assert body["dist-tags"] == {"latest": "1.0.0"}


def test_an_attachment_may_be_named_without_the_scope() -> None:
    document = publication(NAME, "1.0.0")
    document["_attachments"] = {"tool-1.0.0.tgz": document["_attachments"]["@acme/tool-1.0.0.tgz"]}
    assert accepted(document).artifact.filename == "tool-1.0.0.tgz"


@pytest.mark.parametrize("attachments", [{}, None])
def test_a_document_without_a_tarball_is_an_amendment(attachments: object) -> None:
    document = publication(NAME, "1.0.0")
    if attachments is None:
        del document["_attachments"]
    else:
        document["_attachments"] = attachments
    assert parse(document) is None


@pytest.mark.parametrize(
    ("inside", "stated"),
    [
        pytest.param({"version": "v1.0.0"}, {}, id="the version is cleaned"),
        pytest.param({"version": "1.0.0+build"}, {}, id="build metadata is left out"),
        pytest.param({"optionalDependencies": {"b": "1"}}, {"dependencies": {"b": "1"}, "optionalDependencies": {"b": "1"}}, id="optional ones in both lists"),
        pytest.param({"dependencies": {"a": "user/repo"}}, {"dependencies": {"a": "github:user/repo"}}, id="a repository's address is written out"),
        pytest.param({"dependencies": {"a": "^1 "}}, {"dependencies": {"a": "^1"}}, id="blanks"),
        pytest.param({}, {"scripts": {"install": "node-gyp rebuild"}, "gypfile": True}, id="binding.gyp"),
        pytest.param({"scripts": {"postinstall": "./node_modules/.bin/x"}}, {"scripts": {"postinstall": "x"}}, id="a way to a command"),
        pytest.param({"scripts": {"test": "a", "install": 5}}, {"scripts": {"test": "b"}}, id="scripts that no install runs"),
        pytest.param({"devDependencies": {"a": "1"}}, {}, id="what nobody installs"),
        pytest.param({"dependencies": []}, {"dependencies": {}}, id="an empty list of the old kind"),
    ],
)  # fmt: skip
def test_what_npm_itself_rewrites_is_no_difference(inside: dict[str, Any], stated: dict[str, Any]) -> None:
    document = publication(NAME, "1.0.0", {"name": NAME, "version": "1.0.0"} | inside, **stated)
    assert accepted(document).artifact.version == "1.0.0"


@pytest.mark.parametrize(
    ("inside", "stated", "says"),
    [
        pytest.param({"name": "@acme/other"}, {}, "The name in the tarball", id="another name"),
        pytest.param({"name": None}, {}, "The name in the tarball", id="no name"),
        pytest.param({"version": "1.0.1"}, {}, "The version in the tarball", id="another version"),
        pytest.param({"version": None}, {}, "The version in the tarball", id="no version"),
        pytest.param({"dependencies": {"evil": "1"}}, {}, r"dependencies \(evil\)", id="a hidden dependency"),
        pytest.param({}, {"dependencies": {"a": "1"}}, r"dependencies \(a\)", id="an invented dependency"),
        pytest.param({"dependencies": {"a": "1"}}, {"dependencies": {"a": "2"}}, r"dependencies \(a\)", id="another range"),
        pytest.param({"dependencies": {"a": "1"}}, {"dependencies": {"a": "x/y"}}, r"dependencies \(a\)", id="a range against a repository"),
        pytest.param({"peerDependencies": {"p": "1"}}, {}, r"peerDependencies \(p\)", id="a hidden peer"),
        pytest.param({"scripts": {"postinstall": "evil"}}, {}, r"scripts \(postinstall\)", id="a hidden install script"),
        pytest.param({"scripts": {"install": "a"}}, {"scripts": {"install": "node-gyp rebuild"}}, r"scripts \(install\)", id="another install script"),
    ],
)  # fmt: skip
def test_manifest_confusion_is_refused(inside: dict[str, Any], stated: dict[str, Any], says: str) -> None:
    document = publication(NAME, "1.0.0", {"name": NAME, "version": "1.0.0"} | inside, **stated)
    with pytest.raises(Malformed, match=says):
        parse(document)


def edited(edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    document = publication(NAME, "1.0.0")
    edit(document)
    return document


def attachment(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["_attachments"]["@acme/tool-1.0.0.tgz"]
    return found


def renamed(name: str) -> dict[str, Any]:
    return edited(lambda d: d.update(_attachments={name: attachment(d)}))


def other_version(version: str) -> dict[str, Any]:
    return publication(NAME, version, {"name": NAME, "version": version})


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param(b"", "not a JSON object", id="nothing"),
        pytest.param(b"[]", "not a JSON object", id="a list"),
        pytest.param(b'{"_attachments":[]}', "not a JSON object", id="a list of attachments"),
        pytest.param(edited(lambda d: d.update(name="@acme/other")), "document's name", id="another name than the address"),
        pytest.param(edited(lambda d: d.update(versions={})), "exactly one version", id="no version"),
        pytest.param(edited(lambda d: d["versions"].update({"2.0.0": d["versions"]["1.0.0"]})), "exactly one version", id="two versions"),
        pytest.param(edited(lambda d: d["versions"]["1.0.0"].update(name="x")), "manifest's name", id="another name in the manifest"),
        pytest.param(edited(lambda d: d["versions"]["1.0.0"].update(version="2.0.0")), "manifest's version", id="another version in the manifest"),
        pytest.param(other_version("v1.0.0"), "not a version as npm writes it", id="a version that npm would clean"),
        pytest.param(other_version("1.0.0+b"), "not a version as npm writes it", id="build metadata"),
        pytest.param(other_version("../1.0.0"), "not a version as npm writes it", id="a path for a version"),
        pytest.param(renamed("../../tool-1.0.0.tgz"), "exactly one attachment", id="traversal in the attachment's name"),
        pytest.param(renamed("tool-2.0.0.tgz"), "exactly one attachment", id="another version's attachment"),
        pytest.param(edited(lambda d: d["_attachments"].update(x=attachment(d))), "exactly one attachment", id="two attachments"),
        pytest.param(edited(lambda d: d["_attachments"].update({"@acme/tool-1.0.0.sigstore": {}})), "without --provenance", id="a provenance bundle"),
        pytest.param(edited(lambda d: attachment(d).update(data="!!!!")), "not base64", id="no base64"),
        pytest.param(edited(lambda d: attachment(d).update(data="ü")), "not base64", id="no ASCII"),
        pytest.param(edited(lambda d: attachment(d).update(data=None)), "length", id="no data"),
        pytest.param(edited(lambda d: attachment(d).update(length=1)), "length", id="another length"),
        pytest.param(edited(lambda d: attachment(d).update(length=None)), "length", id="no length"),
        pytest.param(edited(lambda d: d["versions"]["1.0.0"]["dist"].update(integrity=integrity(b"x"))), "not the one that", id="another integrity"),
        pytest.param(edited(lambda d: d["versions"]["1.0.0"]["dist"].update(shasum="0" * 40)), "not the one that", id="another shasum"),
        pytest.param(edited(lambda d: d["versions"]["1.0.0"]["dist"].update(integrity=f"{integrity(b'x')} {integrity(b'y')}")), "can't be right", id="two integrities"),
        pytest.param(edited(lambda d: d.update({"dist-tags": {"latest": "2.0.0"}})), "dist-tag 'latest'", id="a tag for another version"),
        pytest.param(edited(lambda d: d.update({"dist-tags": {"1.0": "1.0.0"}})), "dist-tag '1.0'", id="a tag that is a range"),
        pytest.param(edited(lambda d: attachment(d).update(data=base64.b64encode(b"no tar").decode(), length=6)), "not the one that", id="no tarball, by its digest"),
    ],
)  # fmt: skip
def test_a_document_that_contradicts_itself_is_malformed(document: Any, says: str) -> None:
    with pytest.raises(Malformed, match=says) as caught:
        parse(document)
    assert str(caught.value).isprintable()


def test_a_tarball_that_tries_a_trick_is_refused_before_anyone_else_opens_it() -> None:
    data = package(b"{}")[:-20]
    document = publication(NAME, "1.0.0")
    attachment(document).update(data=base64.b64encode(data).decode(), length=len(data))
    document["versions"]["1.0.0"]["dist"] = {}
    with pytest.raises(Malformed, match="gzipped tar"):
        parse(document)


@pytest.mark.parametrize("piece", [4, 8, 64, 1 << 20])
def test_the_tarball_is_written_piece_by_piece(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr("registry.ecosystems.npm.publication._PIECE", piece)
    document = publication(NAME, "1.0.0")
    written = io.BytesIO()
    assert NPM.parse_document is not None
    found = NPM.parse_document(NPM.parse_name(NAME), json.dumps(document).encode(), written)
    assert found is not None
    assert written.getvalue() == base64.b64decode(attachment(document)["data"])
    assert found.artifact.size == len(written.getvalue())


@pytest.mark.parametrize("piece", [4, 8, 1 << 20])
def test_padding_ends_the_tarball_wherever_a_piece_ends(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr("registry.ecosystems.npm.publication._PIECE", piece)
    document = publication(NAME, "1.0.0")
    attachment(document).update(data="QQ==" + attachment(document)["data"])
    with pytest.raises(Malformed, match="not base64"):
        parse(document)


def test_a_manifest_of_megabytes_is_too_large() -> None:
    document = publication(NAME, "1.0.0") | {"readme": "x" * DOCUMENT_BYTES}
    with pytest.raises(TooLarge, match="readme"):
        parse(document)


@pytest.mark.parametrize("name", ["Tool", "events"])
def test_a_new_package_needs_a_name_that_npm_allows_today(name: str) -> None:
    with pytest.raises(Malformed, match="can't be published"):
        parse(publication(name, "1.0.0"), name)


def test_an_upload_form_is_not_npms_way() -> None:
    upload = Upload(fields={}, filename="tool-1.0.0.tgz", size=0, digests={})
    with pytest.raises(Malformed, match="npm publish"):
        NPM.parse_upload(upload, io.BytesIO())
