"""What may be put into an index that was rendered before."""

from __future__ import annotations

import pytest

from registry.pipeline import offers as offers_module
from registry.pipeline.offers import Offers
from tests.specimens import BAR, FOO

ONE, TWO = ("foo-1.0-py3-none-any.whl", "1" * 64), ("foo-2.0-py3-none-any.whl", "2" * 64)


def test_all_that_was_offered_between_two_editions_is_told_in_its_order() -> None:
    offers = Offers()
    offers.add(FOO, 3, 4, ONE)
    offers.add(FOO, 4, 7, TWO)
    assert offers.since(FOO, 3, 7) == [ONE, TWO]
    assert offers.since(FOO, 4, 7) == [TWO]
    assert offers.since(FOO, 7, 7) == []


@pytest.mark.parametrize(("since", "now"), [(2, 7), (3, 8), (5, 7)], ids=["before", "after", "between"])
def test_where_anything_else_happened_too_nothing_is_told(since: int, now: int) -> None:
    offers = Offers()
    offers.add(FOO, 3, 4, ONE)
    offers.add(FOO, 4, 7, TWO)
    assert offers.since(FOO, since, now) is None


def test_where_it_was_rendered_anew_or_forgotten_for_others_nothing_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(offers_module, "REMEMBERED", 1)
    offers = Offers()
    offers.add(FOO, 3, 4, ONE)
    offers.add(BAR, 4, 5, TWO)
    assert offers.since(FOO, 3, 4) is None
    offers.forget(BAR)
    assert offers.since(BAR, 4, 5) is None
