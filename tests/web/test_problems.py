"""Reasons where clients print them, and nothing that could break out of a header."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.errors import NotFound, Unavailable
from registry.web.problems import PHRASE, error_response, phrase

LINK = "http://registry.lan:8080/why/0123456789abcdef0123456789abcdef"


@given(st.text(max_size=600))
def test_a_phrase_is_short_printable_ascii_on_one_line(text: str) -> None:
    said = phrase(text, LINK)
    assert len(said) <= PHRASE
    assert all(" " <= c <= "~" for c in said)


def test_a_long_reason_is_cut_and_its_link_stays_whole() -> None:
    said = phrase("Blocked: " + "because " * 100 + f"(why: {LINK})", LINK)
    assert said.startswith("Blocked: because")
    assert said.endswith(f"why={LINK}")


def test_line_breaks_cannot_reach_a_header() -> None:
    assert phrase("no\r\nSet-Cookie: a=b") == "no Set-Cookie: a=b"


def test_an_error_without_an_ecosystem_is_problem_json() -> None:
    response = error_response(NotFound("nothing here"), None)
    assert (response.status, response.reason, response.content_type) == (
        404,
        "nothing here",
        "application/problem+json",
    )


def test_an_overload_says_when_to_come_back() -> None:
    assert error_response(Unavailable("full", 7), None).headers["Retry-After"] == "7"
