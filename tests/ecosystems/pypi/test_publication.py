"""Uploads as twine, uv publish and others send them, and those that don't agree with themselves (P14; U29)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping

import pytest

from registry.ecosystems.pypi.publication import parse_upload
from registry.errors import Malformed
from registry.model.artifacts import Artifact, Digest
from registry.model.publications import Publication, Upload
from tests.ecosystems.pypi.files import FOO, metadata, sdist, wheel, zipped

WHEEL = "foo_bar-1.0-py3-none-any.whl"
SDIST = "foo_bar-1.0.tar.gz"


def digests(data: bytes) -> dict[str, str]:
    return {
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "blake2b_256": hashlib.blake2b(data, digest_size=32).hexdigest(),
    }


def form(data: bytes, **changes: str | None) -> dict[str, tuple[str, ...]]:
    """What twine 7 sends, with changes; None leaves a field out."""
    found = digests(data)
    fields: dict[str, str | None] = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.4",
        "name": "Foo.Bar",
        "version": "1.0",
        "pyversion": "py3",
        "filetype": "bdist_wheel",
        "sha256_digest": found["sha256"],
        "blake2_256_digest": found["blake2b_256"],
    }
    return {key: (value,) for key, value in (fields | changes).items() if value is not None}


def publish(
    data: bytes, filename: str = WHEEL, fields: Mapping[str, tuple[str, ...]] | None = None
) -> Publication:
    upload = Upload(
        fields=form(data) if fields is None else fields,
        filename=filename,
        size=len(data),
        digests=digests(data),
    )
    return parse_upload(upload, io.BytesIO(data))


def test_a_wheel_is_published_with_what_the_file_says() -> None:
    inside = metadata(**{"Requires-Python": ">=3.8, <4"})
    data = wheel(inside=inside)
    assert publish(data, fields=form(data, requires_python=">=2.7")) == Publication(
        project=FOO,
        artifact=Artifact(
            project=FOO,
            filename=WHEEL,
            version="1.0",
            digests=(Digest("sha256", hashlib.sha256(data).hexdigest()),),
            size=len(data),
            requires_python=">=3.8, <4",
            metadata=Digest("sha256", hashlib.sha256(inside).hexdigest()),
        ),
        metadata=inside,
    )


@pytest.mark.parametrize(
    ("filename", "data"), [(SDIST, sdist()), ("foo_bar-1.0.zip", zipped({"f/PKG-INFO": metadata()}))]
)
def test_an_sdist_is_published_without_metadata(filename: str, data: bytes) -> None:
    found = publish(data, filename, form(data, filetype="sdist"))
    assert found.artifact.install_script
    assert (found.metadata, found.artifact.metadata) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"md5_digest": digests(wheel())["md5"]}, id="twine 6 sends md5 too"),
        pytest.param({"blake2_256_digest": None}, id="hatch sends no blake2"),
        pytest.param(
            {"sha256_digest": None, "blake2_256_digest": None} | {"md5_digest": digests(wheel())["md5"]},
            id="old",
        ),
        pytest.param({"md5_digest": ""}, id="an empty field is none"),
        pytest.param({"sha256_digest": digests(wheel())["sha256"].upper()}, id="upper case"),
        pytest.param({"protocol_version": None}, id="flit sends no protocol version"),
        pytest.param({"version": "v1.0"}, id="another spelling of the version"),
        pytest.param({"metadata_version": "1.0"}, id="the oldest metadata"),
        pytest.param({"metadata_version": "2.5"}, id="the newest metadata"),
    ],
)
def test_p14_other_clients_forms_are_understood(changes: dict[str, str | None]) -> None:
    assert publish(wheel(), fields=form(wheel(), **changes)).project == FOO


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({":action": "submit"}, "file_upload"),
        ({":action": None}, "field :action"),
        ({"protocol_version": "2"}, "protocol version"),
        ({"name": None}, "field name"),
        ({"name": " "}, "field name"),
        ({"name": "../x"}, "isn't a project name"),
        ({"name": "other"}, "not of 'other'"),
        ({"version": None}, "field version"),
        ({"version": "2.0"}, "isn't of version 2.0"),
        ({"version": "latest"}, "isn't a version"),
        ({"metadata_version": "9.9"}, "core metadata"),
        ({"metadata_version": None}, "field metadata_version"),
        ({"filetype": "sdist"}, "isn't a 'sdist'"),
        ({"filetype": "bdist_egg"}, "isn't a 'bdist_egg'"),
        ({"sha256_digest": "0" * 64}, "sha256_digest"),
        ({"blake2_256_digest": "0" * 64}, "blake2_256_digest"),
        ({"md5_digest": "0" * 32}, "md5_digest"),
        ({"sha256_digest": None, "blake2_256_digest": None}, "no digest"),
    ],
)
def test_p14_a_form_that_does_not_agree_is_refused(changes: dict[str, str | None], because: str) -> None:
    with pytest.raises(Malformed, match=because):
        publish(wheel(), fields=form(wheel(), **changes))


@pytest.mark.parametrize(
    ("filename", "because"),
    [
        ("foo_bar-1.0.exe", "neither a wheel"),
        ("foo_bar-1.0-py2.7.egg", "neither a wheel"),
        ("foo_bar-1.0.tar.bz2", "neither a wheel"),
        ("../foo_bar-1.0-py3-none-any.whl", "characters"),
        ("foo_bar-1.0-py3-none-any.whl\0.exe", "characters"),
        ("", "neither a wheel"),
        ("bar-1.0-py3-none-any.whl", "not of 'foo-bar'"),
    ],
)
def test_p14_a_file_of_another_kind_or_project_is_refused(filename: str, because: str) -> None:
    with pytest.raises(Malformed, match=because):
        publish(wheel(), filename)


def test_a_field_that_is_there_twice_is_refused() -> None:
    twice = form(wheel()) | {"name": ("foo-bar", "other")}
    with pytest.raises(Malformed, match="field name once"):
        publish(wheel(), fields=twice)
    good = digests(wheel())["sha256"]
    with pytest.raises(Malformed, match="field sha256_digest once"):
        publish(wheel(), fields=form(wheel()) | {"sha256_digest": (good, "0" * 64)})


def test_a_digest_that_we_did_not_compute_is_refused() -> None:
    data = wheel()
    upload = Upload(
        fields=form(data), filename=WHEEL, size=len(data), digests={"sha256": digests(data)["sha256"]}
    )
    with pytest.raises(Malformed, match="blake2_256_digest can't be checked"):
        parse_upload(upload, io.BytesIO(data))


def test_a_tombstones_name_is_refused() -> None:
    with pytest.raises(Malformed, match="only our refusals"):
        publish(wheel(), "foo_bar-0+blocked.x-py3-none-any.whl", form(wheel(), version="0+blocked.x"))


def test_metadata_that_says_something_else_is_refused() -> None:
    with pytest.raises(Malformed, match="says inside that it is 'other'"):
        publish(wheel(inside=metadata("other")))
    with pytest.raises(Malformed, match="Requires-Python"):
        publish(wheel(inside=metadata(**{"Requires-Python": "three"})))
    bare = sdist([("foo_bar-1.0/x", b"")])
    with pytest.raises(Malformed, match="no PKG-INFO"):
        publish(bare, SDIST, form(bare, filetype="sdist"))
    with pytest.raises(Malformed, match="isn't a zip"):
        publish(sdist())
