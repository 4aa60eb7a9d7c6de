"""Names, versions, ranges and tags of npm: the one place where an npm `Project` is made.

Two grammars exist. What may be *read* is what the public registry has ever accepted (upper-case names
from before 2014, names of Node's own modules such as `events` and `url`); what may be *published* is
today's rule (npm's `validate-npm-package-name`). Names are compared exactly: `JSONStream` and `jsonstream`
are two projects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import nodesemver

from registry.errors import Malformed
from registry.model.names import Project

ECOSYSTEM = "npm"

MAX_NAME = 214
"""Characters, scope included (npm's own limit)."""

MAX_VERSION = 256
"""Characters (semver's own limit)."""

_LARGEST = 2**53 - 1
"""A number in a version above this is one that JavaScript can't hold, so npm can't either."""

_BASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_SCOPED = re.compile(r"@([a-z0-9_~-][a-z0-9._~-]*)/([a-z0-9_~-][a-z0-9._~-]*)")
_VERSION = re.compile(r"[0-9A-Za-z.+-]+")
_TAG = re.compile(r"[0-9A-Za-z_~-][0-9A-Za-z._~-]*")

_NEVER = frozenset({"node_modules", "favicon.ico"})

CORE_MODULES = frozenset(
    "assert async_hooks buffer child_process cluster console constants crypto "  # noqa: SIM905 - one text
    "dgram diagnostics_channel dns domain events fs http http2 https inspector module net os path perf_hooks "
    "process punycode querystring readline repl stream string_decoder sys timers tls trace_events tty url "
    "util v8 vm wasi worker_threads zlib".split()
)
"""What `require` finds inside Node itself, so nobody may publish under these names any more."""


def parse_name(text: str) -> Project:
    """Any name that the public registry may have, `base` or `@scope/base`; raises Malformed."""
    if not text.isascii():
        strange = ", ".join(sorted({f"U+{ord(c):04X}" for c in text if not c.isascii()})[:5])
        raise Malformed(
            f"An npm name is plain ASCII, this one holds {strange}: type it by hand, don't paste it."
        )
    if len(text) > MAX_NAME:
        raise Malformed(f"An npm name has at most {MAX_NAME} characters.")
    if text.startswith("@"):
        return _scoped(text)
    if not _BASE.fullmatch(text):
        raise Malformed(
            f"{_quoted(text)} is not an npm name: letters, digits, '-', '_', '.' and '~', "
            "begun with a letter or a digit."
        )
    if text.lower() in _NEVER:
        raise Malformed(f"'{text}' is reserved by npm itself: no package can have that name.")
    return Project(ECOSYSTEM, text)


def _scoped(text: str) -> Project:
    match = _SCOPED.fullmatch(text)
    # A base of '-' would read as the '/-/' that divides a name from its files.
    if match is None or match[2] == "-":
        hint = " Scopes are lower case." if text != text.lower() else ""
        raise Malformed(f"{_quoted(text)} is not an npm name of the form '@scope/name'.{hint}")
    return Project(ECOSYSTEM, text)


def require_publishable(project: Project) -> None:
    """Raise Malformed where npm's rule for new packages is stricter than the one for existing ones."""
    name = project.name
    if name != name.lower():
        raise Malformed(f"'{name}' can't be published: npm names are lower case, try '{name.lower()}'.")
    if name in CORE_MODULES:
        raise Malformed(
            f"'{name}' can't be published: Node has a module of that name; choose another, or a scope."
        )
    if "~" in name:
        raise Malformed(f"'{name}' can't be published: new npm names may not contain '~'.")


def parse_pattern(text: str) -> str:
    """A name, or a glob with `*` and `?` (`@acme/*`, `acme-*`), in canonical spelling; raises Malformed."""
    try:
        parse_name(text.replace("*", "x").replace("?", "x"))
    except Malformed as error:
        raise Malformed(f"The pattern {_quoted(text)} can match no npm name. {error}") from None
    return text


def parse_range(text: str) -> Callable[[str], bool]:
    """An npm range (`^1.2`, `<2 || >=2.4.1`, `*`); raises Malformed.

    As npm reads it, with one difference: where npm leaves pre-releases out unless the range names one, here
    a pre-release lies in a range when both it and the release it leads to do. A denial of `<2` so meets
    `1.9.0-beta.1`, and an approval of `^1` never meets `2.0.0-beta.1`.
    """
    try:
        span = nodesemver.make_range(text, False)
    except ValueError:
        raise Malformed(
            f"{_quoted(text)} is not an npm version range such as '^1.2.0' or '<2 || >=2.4.1'."
        ) from None

    def lies_within(version: str) -> bool:
        parsed = parse_version(version)
        if parsed is None:
            return False
        if not parsed.prerelease:
            return bool(span.test(parsed))
        release = parse_version(f"{parsed.major}.{parsed.minor}.{parsed.patch}")
        return bool(span.test(parsed) or (span.test(parsed, include_prerelease=True) and span.test(release)))

    return lies_within


def parse_version(text: str) -> nodesemver.SemVer | None:
    """A version as npm's loose grammar reads it (`1.2.3beta` is legacy, but exists), else None."""
    if len(text) > MAX_VERSION or not _VERSION.fullmatch(text):
        return None
    parsed = nodesemver.parse(text, True)
    if parsed is None or max(parsed.major, parsed.minor, parsed.patch) > _LARGEST:
        return None
    return parsed


@lru_cache(maxsize=16_384)
def is_version(text: str) -> bool:
    """Whether `parse_version` can read it; packages share many of theirs."""
    return parse_version(text) is not None


def version_key(text: str) -> tuple[object, ...] | None:
    """A version by its place in semver's order (precedence, section 11), or None."""
    parsed = parse_version(text)
    if parsed is None:
        return None
    # A release is above its pre-releases, a number below a word, and the shorter of two below the longer.
    parts = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in parsed.prerelease)
    return parsed.major, parsed.minor, parsed.patch, not parts, parts


def clean_version(text: str) -> str | None:
    """The version as npm itself writes it (`v1.2.3` and `1.2.3+build` are `1.2.3`), else None."""
    parsed = parse_version(text.strip().lstrip("="))
    return None if parsed is None else str(parsed)


def is_tag(text: str) -> bool:
    """Whether this can be a dist-tag: safe in a URL, and not readable as a version or range."""
    return (
        len(text) <= MAX_NAME
        and _TAG.fullmatch(text) is not None
        and text not in {"__proto__", "-"}
        and nodesemver.valid_range(text, True) is None
    )


def base_name(project: Project) -> str:
    """The name without its scope."""
    return project.name.rpartition("/")[2]


def escaped_name(project: Project) -> str:
    """The name as one URL segment: `@scope%2fbase`, as npm and yarn spell it."""
    return project.name.replace("/", "%2f")


def tarball_name(project: Project, version: str) -> str:
    """The canonical file name of a version: with any other, pnpm and yarn write URLs into lock files."""
    return f"{base_name(project)}-{version}.tgz"


def tarball_version(project: Project, filename: str) -> str | None:
    """The version in a canonical file name, known without any index; None when it isn't one of `project`."""
    stem = filename.removeprefix(f"{base_name(project)}-")
    if stem == filename or not stem.endswith(".tgz"):
        return None
    version = stem.removesuffix(".tgz")
    return version if parse_version(version) is not None else None


def _quoted(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return "'" + "".join(c if c.isprintable() else "?" for c in shown) + "'"
