"""How a no is told: problem documents and tombstones (PROTOCOLS 3)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename

from registry.ecosystems.pypi.names import parse_filename, parse_name
from registry.ecosystems.pypi.refusal import is_tombstone, render_error, render_refusal, tombstone_filename
from registry.model.decisions import Decision, Effect, Subject
from tests.ecosystems.pypi.files import FOO, decision, refusal


def test_a_refusal_is_a_problem_document_with_the_reason_and_where_to_read_on() -> None:
    body = render_refusal(refusal())
    assert body.content_type == "application/problem+json"
    assert json.loads(body.body) == {
        "type": "http://registry.example/why/0",
        "title": "Refused by policy",
        "status": 403,
        "detail": "Blocked: looks like `requests` (why: http://registry.example/why/0)",
        "why": "http://registry.example/why/0",
    }


def test_an_error_is_a_problem_document_too() -> None:
    body = render_error(502, "Source failed", 'It said "\u00e9\n"')
    assert json.loads(body.body) == {
        "type": "about:blank",
        "title": "Source failed",
        "status": 502,
        "detail": 'It said "\u00e9\n"',
    }


@pytest.mark.parametrize(
    ("rule", "resembles", "effect", "local"),
    [
        ("lookalike", "requests", Effect.DENY, "blocked.lookalike.of.requests"),
        ("lookalike", "python-dateutil", Effect.DENY, "blocked.lookalike.of.python.dateutil"),
        ("allowlist", None, Effect.DENY, "blocked.allowlist"),
        ("minimum_age", None, Effect.HOLD, "held.minimum.age"),
    ],
)
def test_the_tombstones_version_says_why(
    rule: str, resembles: str | None, effect: Effect, local: str
) -> None:
    filename = tombstone_filename(FOO, decision(rule=rule, resembles=resembles, effect=effect))
    assert filename == f"foo_bar-0+{local}-py3-none-any.whl"
    assert is_tombstone(filename)


def test_a_decision_without_an_objection_has_a_tombstone_too() -> None:
    nothing = Decision(subject=Subject(project=FOO), revision="1", mode="guarded")
    assert tombstone_filename(FOO, nothing) == "foo_bar-0+blocked-py3-none-any.whl"


@given(
    st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,90}", fullmatch=True), st.text(max_size=300), st.text(max_size=300)
)
def test_any_tombstone_is_a_wheel_of_its_project(name: str, rule: str, resembles: str) -> None:
    project = parse_name(name)
    filename = tombstone_filename(project, decision(project, rule=rule, resembles=resembles))
    assert parse_wheel_filename(filename)[0] == project.name
    assert parse_filename(project, filename).kind == "wheel"
    assert is_tombstone(filename)


def test_the_longest_name_leaves_room_for_a_tombstone() -> None:
    project = parse_name("x" * 200)
    filename = tombstone_filename(project, decision(project, resembles="y" * 200))
    assert parse_filename(project, filename).version.startswith("0+blocked.lookalike")


@pytest.mark.parametrize(
    "filename",
    [
        "foo_bar-0+local-py3-none-any.whl",
        "foo_bar-0-py3-none-any.whl",
        "foo_bar-1+blocked.allowlist-py3-none-any.whl",
        "foo_bar-0+blockedx-py3-none-any.whl",
        "foo_bar-0+blocked.allowlist-1-py3-none-any.whl",
        "foo_bar-0+blocked.allowlist-py2-none-any.whl",
        "foo_bar-0+blocked.allowlist.tar.gz",
        "-py3-none-any.whl",
        "",
    ],
)
def test_other_files_are_no_tombstones(filename: str) -> None:
    assert not is_tombstone(filename)
