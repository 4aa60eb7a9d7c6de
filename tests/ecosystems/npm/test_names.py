import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.ecosystems.npm.names import (
    clean_version,
    is_tag,
    parse_name,
    parse_pattern,
    parse_range,
    parse_version,
    require_publishable,
    tarball_name,
    tarball_version,
)
from registry.errors import Malformed

BASES = st.from_regex(r"[a-z0-9][a-z0-9._~-]{0,30}", fullmatch=True).filter(
    lambda name: name not in {"node_modules", "favicon.ico"}
)
NAMES = st.one_of(BASES, st.builds("@{}/{}".format, BASES, BASES))
VERSIONS = st.builds(
    "{}.{}.{}{}".format,
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(["", "-beta.1", "-0", "-rc-2", "+build", "-a.b+c"]),
)


@given(NAMES)
def test_a_name_parsed_again_is_the_same_name(text: str) -> None:
    assert parse_name(parse_name(text).name) == parse_name(text)


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_malformed_and_a_name_is_kept_as_it_is(text: str) -> None:
    try:
        project = parse_name(text)
    except Malformed:
        return
    assert project.name == text
    assert project.ecosystem == "npm"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("react", id="plain"),
        pytest.param("JSONStream", id="upper case from before 2014, exact"),
        pytest.param("events", id="a core module's name, and a package that everyone uses"),
        pytest.param("constructor", id="a word of JavaScript"),
        pytest.param("con", id="a device of Windows"),
        pytest.param("0", id="a digit"),
        pytest.param("lodash.merge", id="dot"),
        pytest.param("@types/node", id="scoped, with a core module's name"),
        pytest.param("@_sh/strapi", id="scope begun with an underscore"),
        pytest.param("@-xun/scripts", id="scope begun with a hyphen"),
        pytest.param("x" * 214, id="as long as it gets"),
    ],
)
def test_names_that_the_public_registry_has_are_names(name: str) -> None:
    assert parse_name(name).name == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("", "not an npm name", id="empty"),
        pytest.param("req\u03c5ests", "U+03C5", id="a Greek letter is named"),
        pytest.param("left\u200bpad", "U+200B", id="zero width"),
        pytest.param("\u202edap", "U+202E", id="right to left"),
        pytest.param("\uff52eact", "U+FF52", id="full width"),
        pytest.param("x" * 215, "214", id="too long"),
        pytest.param("-rf", "begun with", id="reads as an option"),
        pytest.param("_x", "begun with", id="underscore"),
        pytest.param("__proto__", "begun with", id="prototype"),
        pytest.param(".hidden", "begun with", id="dot first"),
        pytest.param("..", "begun with", id="dots"),
        pytest.param("a/b", "not an npm name", id="slash without a scope"),
        pytest.param("a b", "not an npm name", id="blank"),
        pytest.param("a%2fb", "not an npm name", id="still encoded"),
        pytest.param("a\r\nb", "'a??b'", id="line break, not repeated"),
        pytest.param("a*", "not an npm name", id="a glob"),
        pytest.param("node_modules", "reserved", id="node_modules"),
        pytest.param("Favicon.ico", "reserved", id="favicon.ico in any case"),
        pytest.param("@acme", "@scope/name", id="scope alone"),
        pytest.param("@acme/", "@scope/name", id="scope without a name"),
        pytest.param("@/x", "@scope/name", id="empty scope"),
        pytest.param("@acme/.x", "@scope/name", id="dot after the scope"),
        pytest.param("@../x", "@scope/name", id="dots as scope"),
        pytest.param("@a/b/c", "@scope/name", id="two slashes"),
        pytest.param("@acme/-", "@scope/name", id="what divides a name from its files"),
        pytest.param("@ACME/x", "lower case", id="a scope in another case would be another scope"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(name: str, says: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_name(name)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["events", "MyTool", "a~b"])
def test_new_packages_obey_the_stricter_grammar(name: str) -> None:
    project = parse_name(name)
    with pytest.raises(Malformed, match="can't be published"):
        require_publishable(project)
    require_publishable(parse_name("@acme/events"))


@pytest.mark.parametrize("pattern", ["*", "@acme/*", "acme-*", "@acme-?/x", "react"])
def test_a_pattern_is_a_name_with_stars(pattern: str) -> None:
    assert parse_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["", "@ACME/*", "@acme", "acmé-*", "[a-z]*", "a/*", ".*"])
def test_a_pattern_that_can_match_nothing_is_a_mistake(pattern: str) -> None:
    with pytest.raises(Malformed, match="can match no npm name"):
        parse_pattern(pattern)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2", "1.2.0 1.9.9 1.5.0-beta.1", "1.1.9 2.0.0 2.0.0-beta.1 1.2.0-beta.1"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2"),
        ("<2 || >=2.4.1", "0.1.0 1.9.0-rc.1 2.4.1 3.0.0", "2.0.0 2.4.0 2.0.0-rc.1"),
        ("1.0.0", "1.0.0", "1.0.0-evil.1 1.0.1"),
        ("1.0.0-evil.1", "1.0.0-evil.1", "1.0.0 1.0.0-evil.2"),
        ("1.x", "1.0.0 1.7.0", "2.0.0"),
        ("1.2.3 - 2.3", "1.2.3 2.3.9", "2.4.0 1.2.2"),
        ("*", "0.0.0 9.9.9 1.0.0-a", "latest ../1"),
        (">=1.0.0-rc.1", "1.0.0-rc.1 1.0.0 3.0.0-a", "1.0.0-beta"),
    ],
)
def test_a_range_is_read_as_npm_reads_it_and_meets_prereleases_too(
    text: str, inside: str, outside: str
) -> None:
    lies_within = parse_range(text)
    assert [v for v in inside.split() if not lies_within(v)] == []
    assert [v for v in outside.split() if lies_within(v)] == []


@pytest.mark.parametrize("text", ["latest", ">1 garbage", "1.2.3,2", "https://x.test", "9" * 5000])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="not an npm version range"):
        parse_range(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "latest",
        "../1",
        " 1.2.3",
        "1.2.3\n",
        "\uff11.0.0",
        "9" * 17 + ".0.0",
        "1.2.3-" + "a" * 260,
    ],
)
def test_what_npm_reads_as_no_version_is_none(text: str) -> None:
    assert parse_version(text) is None


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("1.2.3", "1.2.3"), ("v1.2.3", "1.2.3"), (" =1.2.3", "1.2.3"), ("1.2.3+b", "1.2.3"), ("1.2.3beta", "1.2.3-beta"), ("x", None)],
)  # fmt: skip
def test_versions_are_cleaned_as_npm_does(text: str, cleaned: str | None) -> None:
    assert clean_version(text) == cleaned


@given(NAMES, VERSIONS)
def test_a_file_name_tells_its_version_without_an_index(name: str, version: str) -> None:
    project = parse_name(name)
    assert tarball_version(project, tarball_name(project, version)) == version


@pytest.mark.parametrize(
    "filename",
    ["b-1.0.0.tgz", "a-1.0.0.tar.gz", "a-latest.tgz", "a-.tgz", "a-1.0.0.tgz.asc", "a-../1.tgz", "a-1.0.0", "A-1.0.0.tgz"],
)  # fmt: skip
def test_a_file_name_of_another_shape_belongs_to_no_version(filename: str) -> None:
    assert tarball_version(parse_name("a"), filename) is None


@pytest.mark.parametrize(
    ("text", "tag"),
    [("latest", True), ("next-14", True), ("beta", True), ("1.0.0", False), ("v2", False), ("1", False), ("*", False), ("", False), ("__proto__", False), ("-", False), ("a/b", False), ("x" * 300, False)],
)  # fmt: skip
def test_a_tag_is_a_word_that_is_no_range(text: str, tag: bool) -> None:
    assert is_tag(text) is tag
