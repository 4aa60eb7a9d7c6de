import json

import pytest

from registry.ecosystems.npm import NPM
from tests.ecosystems.npm.world import refusal

PROJECT = NPM.parse_name("loadsh")


def test_a_refusal_is_told_in_the_field_and_the_header_that_npm_prints() -> None:
    told = NPM.render_refusal(refusal(PROJECT, reason="`loadsh` looks like `lodash`"))
    body = json.loads(told.body)
    assert told.content_type == "application/json"
    assert body["error"].startswith("Held: `loadsh` looks like `lodash` (why: http")
    assert (body["rule"], body["rules"], body["remedy"]) == ("age", ["age"], "wait")
    assert dict(told.headers) == {"npm-notice": body["error"]}


@pytest.mark.parametrize("reason", ["a\r\nSet-Cookie: x", "\x1b[31mred", "naïve \u202e", "long " * 500])
def test_the_header_is_one_short_line_of_printable_ascii(reason: str) -> None:
    for told in (NPM.render_refusal(refusal(PROJECT, reason=reason)), NPM.render_error(502, "x", reason)):
        notice = dict(told.headers)["npm-notice"]
        assert notice.isascii()
        assert notice.isprintable()
        assert len(notice) <= 400
        assert json.loads(told.body)["error"]


def test_an_error_has_its_words_in_the_field_that_npm_prints() -> None:
    told = NPM.render_error(503, "Unavailable", "The volume is full.")
    assert json.loads(told.body) == {"error": "The volume is full.", "title": "Unavailable", "status": 503}
    assert dict(told.headers) == {"npm-notice": "The volume is full."}


def test_a_404_gives_no_notice_because_publishing_and_logging_in_meet_one() -> None:
    assert NPM.render_error(404, "Not found", "Nothing here.").headers == ()


def test_npm_shows_refused_names_itself_so_it_has_no_tombstones() -> None:
    assert NPM.render_tombstone is None
    assert NPM.tombstone_filename is None
    assert not NPM.is_tombstone("left-pad-1.0.0.tgz")
