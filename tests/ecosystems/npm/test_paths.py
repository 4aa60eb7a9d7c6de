import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.npm import NPM
from registry.errors import Malformed, NotAllowed, NotFound, RegistryError
from registry.model.artifacts import Artifact
from registry.model.asks import (
    AmendAsk,
    ArtifactAsk,
    Ask,
    IndexAsk,
    ManifestAsk,
    ProvenanceAsk,
    PublishAsk,
    SearchAsk,
    ServiceAsk,
    TagsAsk,
)
from registry.model.targets import parse_target
from tests.ecosystems.npm.test_names import NAMES, VERSIONS

A = NPM.parse_name("a")
SP = NPM.parse_name("@s/p")


def ask(method: str, raw: str) -> Ask:
    return NPM.parse_ask(parse_target(method, raw))


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("GET a", IndexAsk(A)),
        ("HEAD a", IndexAsk(A)),
        ("GET @s/p", IndexAsk(SP)),
        ("GET @s%2fp", IndexAsk(SP)),
        ("GET @s%2Fp", IndexAsk(SP)),
        ("GET %40s%2fp", IndexAsk(SP)),
        ("GET a?write=true", IndexAsk(A, writable=True)),
        ("GET a?write=false", IndexAsk(A)),
        ("GET a/1.0.0", ManifestAsk(A, "1.0.0")),
        ("GET a/latest", ManifestAsk(A, "latest")),
        ("GET @s/p/1.0.0-rc.1", ManifestAsk(SP, "1.0.0-rc.1")),
        ("GET @s%2fp/next", ManifestAsk(SP, "next")),
        ("GET a/-/a-1.0.0.tgz", ArtifactAsk(A, "a-1.0.0.tgz")),
        ("GET @s/p/-/p-1.0.0.tgz", ArtifactAsk(SP, "p-1.0.0.tgz")),
        ("GET @s%2fp/-/p-1.0.0%2bb.tgz", ArtifactAsk(SP, "p-1.0.0+b.tgz")),
        ("PUT a", PublishAsk(A)),
        ("PUT @s%2fp", PublishAsk(SP)),
        ("PUT a/-rev/3-abc", AmendAsk(A, "document", "", "3-abc")),
        ("DELETE a/-rev/3-abc", AmendAsk(A, "project", "", "3-abc")),
        ("DELETE @s/p/-/p-1.0.0.tgz/-rev/3-abc", AmendAsk(SP, "artifact", "p-1.0.0.tgz", "3-abc")),
        ("GET -/package/a/dist-tags", TagsAsk(A)),
        ("GET -/package/@s%2fp/dist-tags", TagsAsk(SP)),
        ("GET -/package/@s/p/dist-tags/next", TagsAsk(SP, "next")),
        ("PUT -/package/@s%2fp/dist-tags/next", AmendAsk(SP, "tag", "next")),
        ("POST -/package/a/dist-tags/next", AmendAsk(A, "tag", "next")),
        ("DELETE -/package/a/dist-tags/next", AmendAsk(A, "tag", "next")),
        ("GET -/ping", ServiceAsk("ping")),
        ("GET -/ping?write=true", ServiceAsk("ping")),
        ("GET -/whoami", ServiceAsk("whoami")),
        ("PUT -/user/org.couchdb.user:ada", ServiceAsk("login", "ada")),
        ("PUT -/user/org.couchdb.user:ada/-rev/1-x", ServiceAsk("login", "ada")),
        ("DELETE -/user/token/secret", ServiceAsk("logout", "secret")),
        ("GET -/npm/v1/tokens", ServiceAsk("tokens")),
        ("POST -/npm/v1/tokens", ServiceAsk("make-token")),
        ("DELETE -/npm/v1/tokens/token/0123", ServiceAsk("end-token", "0123")),
        ("GET -/npm/v1/user", ServiceAsk("profile")),
        ("GET -/npm/v1/keys", ServiceAsk("keys")),
        ("POST -/npm/v1/security/advisories/bulk", ServiceAsk("audit", "bulk")),
        ("POST -/npm/v1/security/audits/quick", ServiceAsk("audit", "tree")),
        ("POST -/npm/v1/security/audits", ServiceAsk("audit", "tree")),
        ("GET -/npm/v1/attestations/@s%2fp@1.0.0", ProvenanceAsk(SP, "1.0.0")),
        ("GET -/npm/v1/attestations/@s/p@1.0.0", ProvenanceAsk(SP, "1.0.0")),
        ("GET -/npm/v1/attestations/a@1.0.0-rc.1", ProvenanceAsk(A, "1.0.0-rc.1")),
        ("GET -/v1/search?text=left+pad&size=5&from=10", SearchAsk("left pad", 5, 10)),
        ("GET -/v1/search?text=x&size=100000", SearchAsk("x", 250, 0)),
        ("GET -/v1/search", SearchAsk("", 20, 0)),
    ],
)
def test_what_npm_sends_is_understood(line: str, means: Ask) -> None:
    assert ask(*line.split(" ", 1)) == means


@pytest.mark.parametrize(
    ("line", "error"),
    [
        pytest.param("POST -/v1/login", NotFound, id="the web login, so that npm falls back"),
        pytest.param("GET ", NotFound, id="the root"),
        pytest.param("GET a/", NotFound, id="a directory"),
        pytest.param("GET -", NotFound, id="the services' root"),
        pytest.param("GET -/all", NotFound, id="the list of everything"),
        pytest.param("GET -/user/ada", NotFound, id="a user in another form"),
        pytest.param("DELETE -/user/token/", NotFound, id="no token"),
        pytest.param("GET -/npm/v1", NotFound, id="half a path"),
        pytest.param("GET -/npm/v1/attestations", NotFound, id="attestations of nothing"),
        pytest.param("GET -/npm/v1/attestations/a", NotFound, id="attestations without a version"),
        pytest.param("GET -/npm/v1/attestations/a@latest", NotFound, id="attestations of a tag"),
        pytest.param("GET -/package/a", NotFound, id="half a tag path"),
        pytest.param("GET -/package/a/visibility", NotFound, id="visibility"),
        pytest.param("GET a/1.0.0/x", NotFound, id="below a version"),
        pytest.param("GET a/^1.0.0", NotFound, id="a range"),
        pytest.param("GET a/-", NotFound, id="no file"),
        pytest.param("GET a/-/b-1.0.0.tgz", NotFound, id="another package's file"),
        pytest.param("GET a/-/a-1.0.0.exe", NotFound, id="another kind of file"),
        pytest.param("GET a/-/a-1.0.0.tgz/x", NotFound, id="below a file"),
        pytest.param("GET @s/p/-/@s/p-1.0.0.tgz", NotFound, id="the scope twice"),
        pytest.param("GET a/-/..%2fa-1.0.0.tgz", Malformed, id="up and out"),
        pytest.param("GET a/-/x%2fa-1.0.0.tgz", NotFound, id="an encoded slash in a file name"),
        pytest.param("GET @s", Malformed, id="a scope alone"),
        pytest.param("GET @S/p", Malformed, id="a scope in upper case"),
        pytest.param("GET a%2fb", Malformed, id="an encoded slash without a scope"),
        pytest.param("GET @s%252fp", Malformed, id="encoded twice"),
        pytest.param("GET a%0d%0aSet-Cookie:x", Malformed, id="a line break"),
        pytest.param("GET %c0%ae%c0%ae", Malformed, id="overlong UTF-8"),
        pytest.param("GET a%00", Malformed, id="NUL"),
        pytest.param("GET re%CF%85ct", Malformed, id="not ASCII once decoded"),
        pytest.param("GET -/v1/search?text=x&size=-1", Malformed, id="a negative size"),
        pytest.param("GET -/v1/search?text=x&from=%D9%A3", Malformed, id="digits of another script"),
        pytest.param("PUT -/package/a/dist-tags/1.0.0", Malformed, id="a tag that is a version"),
        pytest.param("POST a", NotAllowed, id="POST to a package"),
        pytest.param("DELETE a", NotAllowed, id="DELETE without a revision"),
        pytest.param("PUT a/1.0.0", NotAllowed, id="PUT to a version"),
        pytest.param("PUT a/-/a-1.0.0.tgz", NotAllowed, id="PUT to a file"),
        pytest.param("POST -/ping", NotAllowed, id="POST to ping"),
        pytest.param("GET -/npm/v1/security/advisories/bulk", NotAllowed, id="GET of the audit"),
        pytest.param("POST -/npm/v1/user", NotAllowed, id="changing a profile"),
        pytest.param("PUT -/npm/v1/tokens", NotAllowed, id="changing tokens"),
        pytest.param("GET -/org/acme/user", NotFound, id="members"),
    ],
)
def test_anything_else_is_closed(line: str, error: type[RegistryError]) -> None:
    with pytest.raises(error) as caught:
        ask(*line.split(" ", 1))
    assert type(caught.value) is error


@given(NAMES, VERSIONS)
def test_what_we_offer_is_understood_when_it_comes_back(name: str, version: str) -> None:
    project = NPM.parse_name(name)
    artifact = Artifact(project=project, filename="", version=version)
    asked = ask("GET", NPM.artifact_path(artifact))
    assert isinstance(asked, ArtifactAsk)
    assert (asked.project, asked.filename) == (project, f"{name.rpartition('/')[2]}-{version}.tgz")
    assert ask("GET", NPM.index_path(project)) == IndexAsk(project)
    assert NPM.source_path(project).count("/") == 0


@given(st.text(st.characters(codec="ascii"), max_size=60), st.sampled_from(["GET", "PUT", "DELETE", "POST"]))
def test_no_path_ends_in_anything_but_an_ask_or_an_error_of_ours(raw: str, method: str) -> None:
    with contextlib.suppress(Malformed, NotFound, NotAllowed):
        ask(method, raw)
