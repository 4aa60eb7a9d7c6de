"""Shelf: small, fast, forgetful, and never larger than it may be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.storage.shelf import Shelf

FOO = ("pypi", "foo", "json")
FOO_HTML = ("pypi", "foo", "html")
FOOBAR = ("pypi", "foobar", "json")
KEYS = st.tuples(st.sampled_from(["pypi", "npm"]), st.sampled_from("abc"), st.sampled_from("xyz"))


def test_what_was_put_is_got() -> None:
    shelf = Shelf(100)
    shelf.put(FOO, "entry", 10)
    assert shelf.get(FOO) == "entry"
    assert shelf.get(FOO_HTML) is None


def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf(30)
    for key in (FOO, FOO_HTML, FOOBAR):
        shelf.put(key, key, 10)
    shelf.get(FOO)
    shelf.put(("npm", "a", "full"), "new", 10)
    assert shelf.get(FOO) == FOO
    assert shelf.get(FOO_HTML) is None


def test_what_is_larger_than_the_shelf_is_not_kept_and_displaces_nothing_else() -> None:
    shelf = Shelf(30)
    shelf.put(FOO, "small", 10)
    shelf.put(FOO_HTML, "huge", 31)
    assert shelf.get(FOO) == "small"
    assert shelf.get(FOO_HTML) is None


def test_a_larger_new_version_does_not_leave_the_old_one() -> None:
    shelf = Shelf(30)
    shelf.put(FOO, "old", 10)
    shelf.put(FOO, "new", 31)
    assert shelf.get(FOO) is None
    assert shelf.size == 0


def test_dropping_a_project_leaves_its_namesakes() -> None:
    shelf = Shelf(100)
    for key in (FOO, FOO_HTML, FOOBAR, ("npm", "foo", "full")):
        shelf.put(key, key, 10)
    shelf.drop(("pypi", "foo"))
    assert [shelf.get(key) for key in (FOO, FOO_HTML)] == [None, None]
    assert shelf.get(FOOBAR) == FOOBAR
    shelf.drop(("pypi",))
    assert shelf.get(FOOBAR) is None
    shelf.drop(())
    assert shelf.size == 0


@given(st.lists(st.tuples(KEYS, st.integers(0, 40), st.booleans()), max_size=40))
def test_it_never_holds_more_than_it_may_and_never_another_entry(
    acts: list[tuple[tuple[str, str, str], int, bool]],
) -> None:
    shelf = Shelf(60)
    last: dict[tuple[str, str, str], tuple[str, int]] = {}
    for number, (key, size, drop) in enumerate(acts):
        if drop:
            shelf.drop(key[:2])
            last = {kept: entry for kept, entry in last.items() if kept[:2] != key[:2]}
        else:
            shelf.put(key, f"{number}", size)
            last[key] = (f"{number}", size)
        found = {kept: entry for kept, entry in last.items() if shelf.get(kept) is not None}
        assert all(shelf.get(kept) == entry for kept, (entry, _) in found.items())
        assert shelf.size == sum(size for _, size in found.values()) <= 60
