"""Paths below /pypi/ and what they ask for (P1, P6, P16; H4, H5, H9, H15)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.pypi.names import parse_name
from registry.ecosystems.pypi.paths import artifact_path, index_path, parse_ask, source_path
from registry.errors import NotAllowed, NotFound, RegistryError
from registry.model.asks import (
    ArtifactAsk,
    Ask,
    IndexAsk,
    ManifestAsk,
    ProjectsAsk,
    ProvenanceAsk,
    PublishAsk,
    Redirect,
)
from registry.model.targets import parse_target
from tests.ecosystems.pypi.files import FOO, artifact

WHEEL = "foo_bar-1.0-py3-none-any.whl"


def ask(path: str, method: str = "GET") -> Ask:
    return parse_ask(parse_target(method, path))


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("simple/", ProjectsAsk()),
        ("simple", Redirect("simple/")),
        ("simple/foo-bar/", IndexAsk(FOO)),
        ("simple/foo-bar", Redirect("simple/foo-bar/")),
        ("simple/Foo_.Bar/", Redirect("simple/foo-bar/")),
        ("simple/foo%2Dbar/", IndexAsk(FOO)),
        ("simple/foo-bar/?x=1", IndexAsk(FOO)),
        (f"files/foo-bar/{WHEEL}", ArtifactAsk(FOO, WHEEL)),
        (f"files/foo-bar/{WHEEL}.metadata", ArtifactAsk(FOO, WHEEL, "metadata")),
        (f"files/Foo.Bar/{WHEEL}", ArtifactAsk(FOO, WHEEL)),
        ("files/foo-bar/foo-bar-1!1.0.tar.gz", ArtifactAsk(FOO, "foo-bar-1!1.0.tar.gz")),
        ("files/foo-bar/foo-bar-1.0%2Bcu118.tar.gz", ArtifactAsk(FOO, "foo-bar-1.0+cu118.tar.gz")),
        ("files/foo-bar/foo-bar-1.0+cu118.tar.gz", ArtifactAsk(FOO, "foo-bar-1.0+cu118.tar.gz")),
        ("pypi/Foo-Bar/json", ManifestAsk(FOO)),
        ("pypi/foo-bar/v1.0/json", ManifestAsk(FOO, "1.0")),
        (f"integrity/foo-bar/1.0/{WHEEL}/provenance", ProvenanceAsk(FOO, "1.0", WHEEL)),
        ("", Redirect("simple/", 302)),
    ],
)
def test_a_path_says_what_is_asked(path: str, asked: Ask) -> None:
    assert ask(path) == asked
    assert ask(path, "HEAD") == asked


@pytest.mark.parametrize("path", ["legacy/", "legacy", ""])
def test_uploads_are_posted(path: str) -> None:
    assert ask(path, "POST") == PublishAsk()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "simple/foo-bar/"),
        ("PUT", f"files/foo-bar/{WHEEL}"),
        ("DELETE", "simple/foo-bar/"),
        ("PATCH", "simple/"),
        ("TRACE", "pypi/foo-bar/json"),
        ("GET", "legacy/"),
        ("PUT", "legacy/"),
        ("DELETE", ""),
    ],
)
def test_other_verbs_are_not_offered(method: str, path: str) -> None:
    with pytest.raises(NotAllowed):
        ask(path, method)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("simple/-rf/", id="no name"),
        pytest.param("simple/req%CF%85ests/", id="Greek"),
        pytest.param("simple/foo%2Fbar/", id="an encoded slash in a name"),
        pytest.param("simple/foo-bar/extra", id="below an index"),
        pytest.param("files/foo-bar/", id="no file"),
        pytest.param("files/foo-bar/other-1.0.tar.gz", id="another project's file"),
        pytest.param(f"files/foo-bar/{WHEEL}.metadata.metadata", id="metadata of metadata"),
        pytest.param("files/foo-bar/foo_bar-1.0.exe", id="no artifact"),
        pytest.param("files/foo-bar/.metadata", id="metadata of nothing"),
        pytest.param("pypi/foo-bar/latest/json", id="no version"),
        pytest.param("pypi/foo-bar", id="legacy JSON without its end"),
        pytest.param(f"integrity/foo-bar/2.0/{WHEEL}/provenance", id="file of another version"),
        pytest.param("packages/ab/cd/x.whl", id="the shape of other registries"),
        pytest.param("search", id="unknown"),
    ],
)
def test_what_cannot_exist_is_not_found(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        ask(path)
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    "path",
    [
        "simple/../files/x",
        "simple/%2e%2e/",
        "files/foo-bar/..%2fx.whl",
        "files/foo-bar/%252e%252e",
        "files/foo-bar/..%5cx.whl",
        "simple//foo-bar/",
        "simple/foo%00/",
        "simple/foo%0d%0aSet-Cookie:x/",
        "%2F%2F..%2F",
    ],
)
def test_tricks_with_paths_are_refused_before_anything_is_looked_at(path: str) -> None:
    with pytest.raises(RegistryError) as caught:
        ask(path)
    assert caught.value.status in {400, 404}


NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True)
VERSIONS = st.sampled_from(["1.0", "0", "1!2.3", "1.0+cu118", "2.0rc1.post2.dev3+a.1"])
ENDS = st.sampled_from(["-py3-none-any.whl", "-7-cp311-abi3-manylinux_2_17_x86_64.whl", ".tar.gz", ".zip"])


@given(NAMES, VERSIONS, ENDS)
def test_what_we_offer_is_what_is_asked_for(name: str, version: str, end: str) -> None:
    project = parse_name(name)
    filename = f"{project.name.replace('-', '_')}-{version}{end}"
    path = artifact_path(artifact(filename, project=project))
    assert ask(path) == ArtifactAsk(project, filename)
    assert ask(path + ".metadata") == ArtifactAsk(project, filename, "metadata")
    assert ask(index_path(project)) == IndexAsk(project)
    redirect = ask(f"simple/{name}")
    assert isinstance(redirect, Redirect)
    assert ask(redirect.path) == IndexAsk(project)
    assert source_path(project) == index_path(project).removeprefix("simple/")
