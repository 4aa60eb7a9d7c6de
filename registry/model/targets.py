"""A request's path, taken apart once and for all.

Percent-encoding is undone exactly once, after splitting at raw slashes, so a decoded segment can hold a
slash only where the client encoded it (`@scope%2fname`). What could mean two things is refused here, before
any name, file or source is looked at.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from registry.errors import Malformed

MAX_PATH = 2_000
"""Characters of a request target; the longest real ones (file names) stay under 400."""

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")


class Target(msgspec.Struct, frozen=True):
    """What a request line asks for, below its ecosystem's prefix."""

    method: str
    """Upper case. HEAD is given as GET: it gets the same answer, less the body."""
    segments: tuple[str, ...]
    """Decoded parts between raw slashes; the last is empty when the path ends in a slash."""
    query: tuple[tuple[str, str], ...] = ()

    @property
    def directory(self) -> bool:
        """Whether the path ends in a slash."""
        return bool(self.segments) and self.segments[-1] == ""

    def param(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)


def parse_target(method: str, raw: str) -> Target:
    """Take a raw request target below a prefix apart: `@a%2fb/-/b-1.0.0.tgz?x=1`.

    `raw` starts without a slash. Raises Malformed for anything ambiguous: control characters, backslashes,
    dot segments, empty segments, NUL, broken or double encoding, bytes that aren't UTF-8.
    """
    if len(raw) > MAX_PATH:
        raise Malformed(f"The path is longer than {MAX_PATH} characters.")
    path, _, query = raw.partition("?")
    segments = tuple(_decode(part) for part in path.split("/"))
    if "" in segments[:-1]:
        raise Malformed("The path has an empty segment ('//').")
    pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=32) if query else []
    return Target("GET" if method == "HEAD" else method, segments, tuple(pairs))


def _decode(part: str) -> str:
    if not part.isascii() or "\\" in part:
        raise Malformed("The path has a character that must be percent-encoded.")
    try:
        text = unquote_to_bytes(part).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The path isn't UTF-8 once decoded.") from None
    if _FORBIDDEN.search(text):
        raise Malformed("The path has a control character or a backslash.")
    if "%" in text:
        raise Malformed("The path is percent-encoded twice, or has a stray '%'.")
    if any(piece in {".", ".."} for piece in text.split("/")):
        raise Malformed("The path has a dot segment.")
    return text
