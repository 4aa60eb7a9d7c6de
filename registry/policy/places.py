"""Where in policy.toml a key stands: a TOML reader tells no lines, and an operator looks for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|\n|[\[\]{},]|[^\s\[\]{},"\'#]+|\s',
    re.DOTALL,
)
_HEADER = re.compile(r"\s*\[\[?\s*([^\]#]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")


def with_lines(text: str, problems: list[str]) -> list[str]:
    """Problems that begin with a key (`pypi.allow[2]: ...`), each behind its key's line and in that order.

    What has no line (a missing section, an entry of the database) is left as it is, and comes last.
    """
    lines = dict(_places(text))
    found = [(_line(each, lines), each) for each in problems]
    found.sort(key=lambda each: (each[0] is None, each[0] or 0))
    return [each if line is None else f"line {line}: {each}" for line, each in found]


def _line(problem: str, lines: Mapping[str, int]) -> int | None:
    """The line of the longest part of the key that has one."""
    key = problem.partition(": ")[0]
    while key:
        if key in lines:
            return lines[key]
        key = key[: max(key.rfind("."), key.rfind("["))] if {".", "["} & set(key) else ""
    return None


def _places(text: str) -> Iterator[tuple[str, int]]:
    """Keys and elements of lists, with their lines from 1."""
    table, rest, number = "", text, 1
    while rest:
        if header := _HEADER.match(rest.partition("\n")[0]):
            table = _plain(header[1])
            yield table, number
            skipped = rest.partition("\n")[0]
        elif key := _KEY.match(rest.partition("\n")[0]):
            path = ".".join(filter(None, (table, _plain(key[1]))))
            yield path, number
            skipped = key[0]
            for piece, line in _value(rest[key.end() :], number):
                if line:
                    yield f"{path}[{line[0]}]", line[1]
                skipped += piece
        else:
            skipped = rest.partition("\n")[0]
        number += skipped.count("\n") + 1
        rest = rest[len(skipped) + 1 :]


def _value(text: str, number: int) -> Iterator[tuple[str, tuple[int, int] | None]]:
    """The tokens of a value up to its line's end, each with number and line of the element that it begins."""
    depth, element, fresh = 0, 1, True
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece == "\n" and depth == 0:
            return
        begins = depth == 1 and fresh and not piece.isspace() and piece not in "],}" and piece[0] != "#"
        yield piece, (element, number) if begins else None
        fresh = fresh and not begins
        if piece in {"[", "{"}:
            depth += 1
        elif piece in {"]", "}"}:
            depth -= 1
        elif piece == "," and depth == 1:
            element, fresh = element + 1, True
        number += piece.count("\n")


def _plain(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
