"""Paths below /npm/, and back: what npm, pnpm, yarn and bun ask for, and nothing else.

A path is known or it is NotFound; a known path with a verb that it doesn't have is NotAllowed. A scoped
name arrives as one segment (`@s%2fp`: npm, yarn) or as two (`@s/p`: pnpm, every tarball); both become the
same ask. No handler behind this sees a path again.
"""

from __future__ import annotations

from urllib.parse import quote

from registry.ecosystems.npm.names import (
    escaped_name,
    is_tag,
    parse_name,
    parse_version,
    tarball_name,
    tarball_version,
)
from registry.errors import Malformed, NotAllowed, NotFound
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
from registry.model.names import Project
from registry.model.targets import Target

_LOGIN = "org.couchdb.user:"

MAX_RESULTS = 250
"""Search results a page, npm's own limit."""

_AUDITS = {
    ("security", "advisories", "bulk"): "bulk",
    ("security", "audits", "quick"): "tree",
    ("security", "audits"): "tree",
}


def parse_ask(target: Target) -> Ask:
    """What a request below the prefix asks for. Raises Malformed, NotFound, NotAllowed."""
    if target.segments == ("",):
        raise _unknown()
    if target.segments[0] == "-":
        return _service(target, target.segments[1:])
    name, rest = _take_name(target.segments)
    return _project(target, parse_name(name), rest)


def index_path(project: Project) -> str:
    """Where the packument is, here and at any source: `@scope%2fbase`."""
    return escaped_name(project)


def artifact_path(artifact: Artifact) -> str:
    """Where the tarball is: `@scope/base/-/base-1.0.0.tgz`, the shape that lock files leave out."""
    filename = tarball_name(artifact.project, artifact.version)
    return f"{artifact.project.name}/-/{quote(filename, safe='+~')}"


def _take_name(segments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    first = segments[0]
    if first.startswith("@") and "/" not in first and len(segments) > 1:
        return f"{first}/{segments[1]}", segments[2:]
    return first, segments[1:]


def _project(target: Target, project: Project, rest: tuple[str, ...]) -> Ask:
    match rest:
        case ():
            return _document(target, project)
        case ("-", filename):
            _only(target, "GET")
            return ArtifactAsk(project, _tarball(project, filename))
        case ("-", filename, "-rev", revision):
            _only(target, "DELETE")
            return AmendAsk(project, "artifact", _tarball(project, filename), revision)
        case ("-rev", revision):
            _only(target, "PUT", "DELETE")
            return AmendAsk(project, "document" if target.method == "PUT" else "project", "", revision)
        case (selector,) if parse_version(selector) is not None or is_tag(selector):
            _only(target, "GET")
            return ManifestAsk(project, selector)
    raise _unknown()


def _document(target: Target, project: Project) -> Ask:
    _only(target, "GET", "PUT")
    if target.method == "PUT":
        return PublishAsk(project)
    return IndexAsk(project, writable=target.param("write") == "true")


def _service(target: Target, rest: tuple[str, ...]) -> Ask:
    match rest:
        case ("ping",):
            _only(target, "GET")
            return ServiceAsk("ping")
        case ("whoami",):
            _only(target, "GET")
            return ServiceAsk("whoami")
        case ("user", account) | ("user", account, "-rev", _) if account.startswith(_LOGIN):
            _only(target, "PUT")
            return ServiceAsk("login", account.removeprefix(_LOGIN))
        case ("user", "token", token) if token:
            _only(target, "DELETE")
            return ServiceAsk("logout", token)
        case (
            ("org" | "team", *_)
            | ("user", _, "package")
            | ("package", *_, "visibility" | "collaborators" | "access")
        ):
            raise NotFound(
                "Teams, owners and access levels aren't kept here: who may publish is a matter of accounts "
                "and tokens, which an admin makes (`registry user`, `registry token`)."
            )
        case ("v1", "search"):
            _only(target, "GET")
            return _search(target)
        case ("npm", "v1", *details):
            return _npm_service(target, tuple(details))
        case ("package", *details):
            name, details_of_it = _take_name(tuple(details) or ("",))
            return _tags(target, parse_name(name), details_of_it)
    # `-/v1/login` ends here too: a 404 makes npm fall back from the browser to name and password.
    raise _unknown()


def _npm_service(target: Target, rest: tuple[str, ...]) -> Ask:
    if rest in _AUDITS:
        _only(target, "POST")
        return ServiceAsk("audit", _AUDITS[rest])
    match rest:
        case ("tokens",):
            _only(target, "GET", "POST")
            return ServiceAsk("tokens" if target.method == "GET" else "make-token")
        case ("tokens", "token", token) if token:
            _only(target, "DELETE")
            return ServiceAsk("end-token", token)
        case ("user",):
            if target.method == "POST":
                raise NotAllowed("Accounts are changed by an admin: `registry user`.")
            _only(target, "GET")
            return ServiceAsk("profile")
        case ("keys",):
            _only(target, "GET")
            return ServiceAsk("keys")
        case ("attestations", *details) if details:
            _only(target, "GET")
            return _provenance("/".join(details))
    raise _unknown()


def _provenance(subject: str) -> Ask:
    name, at, version = subject.rpartition("@")
    if not at or not name or parse_version(version) is None:
        raise _unknown()
    return ProvenanceAsk(parse_name(name), version)


def _tags(target: Target, project: Project, rest: tuple[str, ...]) -> Ask:
    match rest:
        case ("dist-tags",):
            _only(target, "GET")
            return TagsAsk(project)
        case ("dist-tags", tag):
            _only(target, "GET", "PUT", "POST", "DELETE")
            if not is_tag(tag):
                raise Malformed("A dist-tag is a short word that can't be read as a version or a range.")
            return TagsAsk(project, tag) if target.method == "GET" else AmendAsk(project, "tag", tag)
    raise _unknown()


def _search(target: Target) -> Ask:
    text = target.param("text") or ""
    size = _number(target, "size", 20)
    return SearchAsk(text, min(size, MAX_RESULTS), _number(target, "from", 0))


def _number(target: Target, name: str, default: int) -> int:
    value = target.param(name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        raise Malformed(f"The parameter '{name}' is not a whole number from 0 to 999999.")
    return int(value)


def _tarball(project: Project, filename: str) -> str:
    if tarball_version(project, filename) is None:
        raise NotFound(
            f"'{project.name}' has no such tarball: its files are named '{tarball_name(project, 'VERSION')}'."
        )
    return filename


def _only(target: Target, *methods: str) -> None:
    if target.method not in methods:
        raise NotAllowed(f"{target.method} isn't offered here, only {' and '.join(methods)}.", methods)


def _unknown() -> NotFound:
    return NotFound("This registry has nothing at that path.")
