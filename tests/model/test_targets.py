"""A path is taken apart once; what could mean two things is refused."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import Malformed
from registry.model.targets import parse_target


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("simple/requests/", ("simple", "requests", "")),
        ("@acme%2fx", ("@acme/x",)),
        ("@acme%2Fx", ("@acme/x",)),
        ("%40acme/x", ("@acme", "x")),
        ("files/torch/torch-2.0%2Bcu118.whl", ("files", "torch", "torch-2.0+cu118.whl")),
        ("", ("",)),
    ],
)
def test_segments_are_decoded_once(raw: str, segments: tuple[str, ...]) -> None:
    assert parse_target("GET", raw).segments == segments


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("simple/../etc", id="dot segment"),
        pytest.param("simple/%2e%2e/etc", id="encoded dots"),
        pytest.param("a/..%2fetc", id="encoded slash after dots"),
        pytest.param("%2F%2F..%2F..%2Fetc", id="the slash trick of a peer's CVE"),
        pytest.param("a%252e%252e", id="encoded twice"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("a%5cb", id="encoded backslash"),
        pytest.param("a%00b", id="NUL"),
        pytest.param("a%0d%0aSet-Cookie:x", id="line break"),
        pytest.param("a//b", id="empty segment"),
        pytest.param("%c0%ae%c0%ae/x", id="overlong UTF-8"),
        pytest.param("%ff", id="not UTF-8"),
        pytest.param("100%", id="stray percent"),
        pytest.param("ä", id="raw non-ASCII"),
        pytest.param("x" * 3000, id="endless"),
    ],
)
def test_ambiguous_paths_are_malformed(raw: str) -> None:
    with pytest.raises(Malformed):
        parse_target("GET", raw)


@given(
    st.text(
        st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="%\\/"), min_size=1, max_size=50
    )
)
def test_what_was_quoted_comes_back(name: str) -> None:
    if name in {".", ".."}:
        return
    assert parse_target("HEAD", quote(name, safe="")).segments == (name,)


def test_head_is_asked_as_get_and_the_query_is_read_once() -> None:
    target = parse_target("HEAD", "x?write=true&write=false")
    assert (target.method, target.param("write"), target.param("other")) == ("GET", "true", None)
