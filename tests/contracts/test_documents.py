"""Documents: what a source said, kept for the day it says nothing."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from registry.model.indexes import Document
from registry.model.ports import Documents
from tests.contracts.conftest import Ports
from tests.specimens import BAR, FOO, NOW, SCOPED, sha

BODY = b'{"name": "foo", "files": []}' * 50
DOCUMENT = Document(
    body=BODY,
    content_type="application/json",
    url="https://example.invalid/simple/foo/",
    etag='"one"',
    last_modified="Sat, 21 Nov 2026 12:00:00 GMT",
    sha256=sha(BODY).hex,
    checked=NOW,
    origin="private",
)


@pytest.fixture
def documents(ports: Ports) -> Documents:
    return ports.documents


async def test_a_kept_document_comes_back_as_it_was(documents: Documents) -> None:
    await documents.put(FOO, DOCUMENT)
    assert await documents.get(FOO) == DOCUMENT
    assert await documents.standing(FOO) == msgspec.structs.replace(DOCUMENT, body=b"")


async def test_what_was_never_kept_is_not_there(documents: Documents) -> None:
    assert await documents.get(FOO) is None
    assert await documents.standing(FOO) is None


async def test_a_document_without_a_digest_gets_one(documents: Documents) -> None:
    await documents.put(FOO, msgspec.structs.replace(DOCUMENT, sha256=""))
    assert await documents.get(FOO) == DOCUMENT


async def test_a_new_body_replaces_the_old_one(documents: Documents) -> None:
    changed = msgspec.structs.replace(DOCUMENT, body=b"new", sha256=sha(b"new").hex, etag='"two"')
    await documents.put(FOO, DOCUMENT)
    await documents.put(FOO, changed)
    assert await documents.get(FOO) == changed
    await documents.put(FOO, DOCUMENT)
    assert await documents.get(FOO) == DOCUMENT


async def test_a_confirmation_keeps_the_body(documents: Documents) -> None:
    confirmed = msgspec.structs.replace(DOCUMENT, checked=NOW + timedelta(hours=1), etag='"again"')
    await documents.put(FOO, DOCUMENT)
    await documents.put(FOO, confirmed)
    assert await documents.get(FOO) == confirmed


async def test_projects_with_the_same_body_do_not_share_their_fate(documents: Documents) -> None:
    await documents.put(FOO, DOCUMENT)
    await documents.put(BAR, DOCUMENT)
    await documents.drop(FOO)
    assert await documents.get(FOO) is None
    assert await documents.get(BAR) == DOCUMENT


async def test_dropping_what_is_not_there_is_no_error(documents: Documents) -> None:
    await documents.drop(FOO)
    assert await documents.standing(FOO) is None


async def test_names_are_those_of_one_ecosystem_sorted(documents: Documents) -> None:
    for project in (FOO, SCOPED, BAR):
        await documents.put(project, DOCUMENT)
    assert await documents.names("pypi") == ("bar", "foo")
    assert await documents.names("npm") == ("@acme/foo",)
