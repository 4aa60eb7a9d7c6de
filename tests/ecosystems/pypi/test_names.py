"""Names, patterns, ranges and file names: what they mean, and what they can't be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.pypi.names import (
    Outdated,
    parse_filename,
    parse_name,
    parse_pattern,
    parse_range,
    parse_version,
)
from registry.errors import Malformed

SPELLINGS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?", fullmatch=True)
FOO = parse_name("foo-bar")


@given(SPELLINGS)
def test_a_canonical_name_is_its_own_canonical_name(text: str) -> None:
    project = parse_name(text)
    assert parse_name(project.name) == project
    assert parse_pattern(text) == project.name


@given(SPELLINGS, st.sampled_from(["-", "_", ".", "-_.", "__"]), SPELLINGS)
def test_all_separators_are_one(left: str, separator: str, right: str) -> None:
    assert parse_name(left + separator + right) == parse_name(f"{left}-{right}".upper())


def _name_or_message(text: str) -> str:
    try:
        return parse_name(text).name
    except Malformed as error:
        return str(error)


@given(st.text(max_size=20))
def test_any_text_is_a_name_or_malformed(text: str) -> None:
    said = _name_or_message(text)
    assert said.isascii()
    assert said.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("-rf", id="an option"),
        pytest.param("_x", id="begins with a separator"),
        pytest.param("x.", id="ends with a separator"),
        pytest.param("x\n", id="a line end, where $ would match"),
        pytest.param("a b", id="space"),
        pytest.param("a/b", id="slash"),
        pytest.param("..", id="dots"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("req\u03c5ests", id="a Greek letter"),
        pytest.param("\u202erequests", id="right to left"),
        pytest.param("re\u200bquests", id="zero width"),
        pytest.param("x" * 201, id="too long"),
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_name(text)


@pytest.mark.parametrize(
    ("text", "meant"), [("réquests", "requests"), ("\uff52equests", "requests"), ("r\u0065\u0301q", "req")]
)
def test_a_name_with_foreign_letters_is_refused_with_what_was_meant(text: str, meant: str) -> None:
    with pytest.raises(Malformed, match=f"did you mean '{meant}'"):
        parse_name(text)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("Acme_*", "acme-*"), ("*", "*"), ("*.Internal", "*-internal"), ("a??b", "a??b"), ("Acme", "acme")],
)
def test_patterns_have_one_spelling(text: str, pattern: str) -> None:
    assert parse_pattern(text) == pattern
    assert parse_pattern(pattern) == pattern


@pytest.mark.parametrize("text", ["[a]*", "_*", "*-", "a*\n", "\u03b1*", "x*" * 101, "a{b}*"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_pattern(text)


@pytest.mark.parametrize(
    ("text", "version", "lies_in_it"),
    [
        ("<2", "1.9", True),
        ("<2", "2.0", False),
        (">=1,<2", "1.5rc1", True),  # a prerelease is a version like any other
        ("", "1.0", True),
        ("==1.*", "1.4", True),
        ("==1.0", "1.0+cu118", True),
        ("==1!1.0", "1.0", False),
        (">1", "not a version", False),
    ],
)
def test_ranges_hold_what_pep_440_says(text: str, version: str, lies_in_it: bool) -> None:
    assert parse_range(text)(version) is lies_in_it


def test_a_bare_version_is_no_range_and_the_message_helps() -> None:
    with pytest.raises(Malformed, match=r"write '==1\.2' for that one version"):
        parse_range("1.2")
    with pytest.raises(Malformed, match="isn't a version range"):
        parse_range("^1.2")
    with pytest.raises(Malformed, match="at most"):
        parse_range("==1," * 500)


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.0", "1.0"), ("01.0", "1.0"), ("v1", "1"), ("1!1", "1!1"), ("1.0-RC1", "1.0rc1"), ("1+X", "1+x")],
)
def test_versions_have_one_spelling(text: str, version: str) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["latest", "../1", "", "1.0\u0663", "1" * 300])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse_version(text)


@pytest.mark.parametrize(
    ("filename", "version", "kind"),
    [
        ("foo_bar-1.0-py3-none-any.whl", "1.0", "wheel"),
        ("Foo.Bar-1!2.0+cu118-1-cp311-cp311-linux_x86_64.whl", "1!2.0+cu118", "wheel"),
        ("foo-bar-1.0.tar.gz", "1.0", "sdist"),
        ("Foo.Bar-1.0-1.zip", "1.0.post1", "sdist"),
    ],
)
def test_a_file_name_says_version_and_kind(filename: str, version: str, kind: str) -> None:
    parsed = parse_filename(FOO, filename)
    assert (parsed.version, parsed.kind) == (version, kind)


@pytest.mark.parametrize(
    "filename",
    [
        pytest.param("other-1.0-py3-none-any.whl", id="wheel of another project"),
        pytest.param("foo-bar-baz-1.0.tar.gz", id="sdist of a longer name"),
        pytest.param("foo-1.0.tar.gz", id="sdist of a shorter name"),
        pytest.param("foo_bar-1.0.exe", id="installer"),
        pytest.param("foo_bar-1.0-py2.7.egg", id="egg"),
        pytest.param("foo_bar-1.0-py3-none-any.whl.metadata", id="metadata beside a wheel"),
        pytest.param("foo_bar-1.0-py3-none.whl", id="too few parts"),
        pytest.param("foo_bar-x-py3-none-any.whl", id="no version"),
        pytest.param("../foo_bar-1.0-py3-none-any.whl", id="climbs"),
        pytest.param('foo_bar-1.0"><script>-py3-none-any.whl', id="markup"),
        pytest.param("foo_bar-1.0\r\n-py3-none-any.whl", id="line end"),
        pytest.param("foo_b\u0430r-1.0-py3-none-any.whl", id="Cyrillic"),
        pytest.param(f"foo_bar-1.0-py3-none-{'a' * 300}.whl", id="too long"),
        pytest.param(f"foo_bar-1.0-{'.'.join('abc' * 12)}-{'.'.join('def' * 12)}-any.whl", id="tag bomb"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_file_of_the_project_is_refused(filename: str) -> None:
    with pytest.raises(Malformed):
        parse_filename(FOO, filename)


def test_an_sdist_from_before_pep_440_is_told_apart() -> None:
    with pytest.raises(Outdated):
        parse_filename(FOO, "foo-bar-2004d.tar.gz")
