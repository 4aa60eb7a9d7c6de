from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.model.decisions import Effect
from registry.policy.loader import parse_policy
from registry.policy.lookalike.edits import Edit, edits
from registry.policy.lookalike.index import LookalikeIndex, Resemblance
from registry.policy.lookalike.spelling import folded, neighbours, skeleton, words
from registry.policy.lookalike.table import Table, keys
from registry.policy.names import parse_names
from tests.policy.worlds import ECOSYSTEMS, GUARDED, NOW, make_policy, project, pypi, row, shipped

HOLD, DENY = 0.5, 0.9


@cache
def index(ecosystem: str) -> LookalikeIndex:
    return LookalikeIndex(ecosystem, shipped())


def flagged(ecosystem: str, name: str) -> Resemblance | None:
    found = index(ecosystem).nearest(name)
    return found if found is not None and found.score >= HOLD else None


@pytest.mark.parametrize(
    ("ecosystem", "name", "target", "kind"),
    [
        ("pypi", "reqeusts", "requests", "edit"),
        ("pypi", "requets", "requests", "edit"),
        ("pypi", "djangoo", "django", "edit"),
        ("pypi", "nunpy", "numpy", "edit"),
        ("pypi", "python-dateutils", "python-dateutil", "edit"),
        ("pypi", "etherieum", "ethereum", "edit"),
        ("pypi", "cv2", "opencv-python", "import"),
        ("pypi", "yaml", "pyyaml", "import"),
        ("npm", "loadsh", "lodash", "edit"),
        ("npm", "axois", "axios", "edit"),
        ("npm", "crossenv", "cross-env", "separator"),
        ("npm", "cross-env.js", "cross-env", "affix"),
        ("npm", "@bable/core", "@babel/core", "scope"),
        ("npm", "@type/node", "@types/node", "scope"),
        ("npm", "plugin-transform-runtime", "@babel/plugin-transform-runtime", "base"),
        ("npm", "arm-advisor", "@azure/arm-advisor", "family"),
        ("npm", "react-v17", "react", "version"),
    ],
)
def test_a_slip_is_found_with_its_target(ecosystem: str, name: str, target: str, kind: str) -> None:
    found = flagged(ecosystem, name)
    assert found is not None
    assert (found.target, found.kind) == (target, kind)


@pytest.mark.parametrize(
    ("ecosystem", "name"),
    [
        ("npm", "request"),
        ("npm", "preact"),
        ("npm", "lodash.get"),
        ("pypi", "types-requests"),
        ("pypi", "python-dateutil"),
        ("pypi", "tensorflow-gpu"),
        ("npm", "openai-api"),
        ("npm", "@babel/never-heard-of"),
        ("pypi", "my-company-tool"),
        ("pypi", "os"),
    ],
)
def test_a_harmless_name_is_left_alone(ecosystem: str, name: str) -> None:
    assert flagged(ecosystem, name) is None


@pytest.mark.parametrize("ecosystem", ["pypi", "npm"])
def test_no_known_name_is_ever_flagged(ecosystem: str) -> None:
    assert [name for name in shipped()[ecosystem] if index(ecosystem).nearest(name)] == []


def test_the_reason_says_the_slip_and_the_rank() -> None:
    found = flagged("pypi", "reqeusts")
    assert found is not None
    rank = shipped()["pypi"]["requests"]
    assert found.explanation == f"looks like 'requests' with two letters swapped; rank {rank} against unknown"


def test_a_surer_slip_is_refused_and_a_less_sure_one_held() -> None:
    policy = parse_policy(GUARDED, [], ECOSYSTEMS, shipped(), {})
    sure = policy.decide_project(project("reqeusts"), NOW).leading
    less = policy.decide_project(project("crossenv", "npm"), NOW).leading
    assert sure is not None
    assert less is not None
    assert (sure.effect, less.effect, less.until) == (Effect.DENY, Effect.HOLD, None)


def test_the_operator_sets_how_alike_is_too_alike() -> None:
    lax = parse_policy(GUARDED + "[lookalike]\nhold = 1\ndeny = 1\n", [], ECOSYSTEMS, shipped(), {})
    assert lax.decide_project(project("crossenv", "npm"), NOW).allowed


def test_our_own_names_are_protected_in_every_ecosystem() -> None:
    policy = make_policy(pypi('ours = ["acme-billing"]'))
    for ecosystem in ("pypi", "npm"):
        leading = policy.decide_project(project("acme-biling", ecosystem), NOW).leading
        assert leading is not None, ecosystem
        assert leading.resembles == "acme-billing"


def test_our_own_scopes_are_protected() -> None:
    policy = make_policy('[pypi]\nmode = "guarded"\n[npm]\nmode = "guarded"\nours = ["@acme/*"]\n')
    leading = policy.decide_project(project("@acne/anything", "npm"), NOW).leading
    assert leading is not None
    assert leading.resembles == "@acme/anything"


def test_allowed_names_are_protected() -> None:
    policy = make_policy(GUARDED, [row("allow", "obscure-toolkit")])
    leading = policy.decide_project(project("obscure-tolokit"), NOW).leading
    assert leading is not None
    assert leading.resembles == "obscure-toolkit"


def test_a_sure_slip_of_another_ecosystems_name_is_found() -> None:
    found = index("pypi").nearest("typescirpt")
    assert found is not None
    assert found.target == "typescript"
    assert "of npm" in found.explanation


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ("requests", "reqeusts", (Edit("transposition", 3, "ue", "eu"),)),
        ("requests", "requets", (Edit("omission", 5, "s", ""),)),
        ("django", "djangoo", (Edit("doubling", 6, "", "o"),)),
        ("pillow", "pilow", (Edit("undoubling", 3, "l", ""),)),
        ("numpy", "nunpy", (Edit("substitution", 2, "m", "n"),)),
        ("flask", "flasks", (Edit("insertion", 5, "", "s"),)),
        ("flask", "flask", ()),
        ("flask", "django", None),
    ],
)
def test_edits_are_told_as_slips(was: str, now: str, expected: tuple[Edit, ...] | None) -> None:
    assert edits(was, now) == expected


def distance(one: str, other: str) -> int:
    """Optimal string alignment, the slow way."""
    rows = [[i + j if not i * j else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            changed = rows[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, changed)
            if i > 1 and j > 1 and one[i - 2 : i] == other[j - 2 : j][::-1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


SHORT = st.text("abc", min_size=1, max_size=7)


@settings(max_examples=200, deadline=None)
@given(SHORT, SHORT)
def test_edits_are_the_fewest_there_are(one: str, other: str) -> None:
    found = edits(one, other)
    assert (len(found) if found is not None else 3) == min(3, distance(one, other))


@settings(max_examples=100, deadline=None)
@given(st.text("abcdef-", min_size=4, max_size=12).filter(lambda t: len(skeleton(t)) > 3), st.data())
def test_a_table_finds_every_name_that_is_one_edit_away(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("abcxyz"))
    table = Table.of(["other", name], deep=0)
    for slip in (
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at:],
        name[:at] + letter + name[at + 1 :],
    ):
        assert 1 in table.find(keys(slip))


def test_an_empty_table_finds_nothing() -> None:
    assert Table.of([], deep=0).find(keys("anything")) == set()


def test_spellings_are_taken_apart() -> None:
    assert words("@babel/plugin-x.y_z") == ("babel", "plugin", "x", "y", "z")
    assert skeleton("@Babel/Core") == "babelcore"
    assert folded("c0lors") == folded("colors") == "colors"
    assert folded("rnoment") == folded("moment")
    assert neighbours("q", "w")
    assert not neighbours("q", "p")


def test_a_table_is_what_it_was_when_it_was_packed() -> None:
    names = parse_names("pypi", "requests\nnumpy\nlonger-name-of-two\n")
    prepared = names.prepare_table()
    again = parse_names("pypi", "requests\nnumpy\nlonger-name-of-two\n", prepared=lambda: prepared)
    table = again.table_in(prepared)
    assert table is not None
    for asked in ("requets", "nmupy", "longername-of-tow", "another"):
        assert table.find(keys(asked)) == names.table.find(keys(asked)) == again.table.find(keys(asked))


@pytest.mark.parametrize("spoil", [lambda p: p[:-8], lambda p: p[:99] + b"?" + p[100:], lambda p: b"", bytes])
def test_a_prepared_table_of_other_names_or_bytes_is_made_anew(spoil: Callable[[bytes], bytes]) -> None:
    prepared = parse_names("pypi", "requests\nnumpy\n").prepare_table()
    names = "requests\nnumpy\n" if spoil is not bytes else "requests\npandas\n"
    again = parse_names("pypi", names, prepared=lambda: spoil(prepared))
    assert again.table_in(spoil(prepared)) is None
    assert again.table.find(keys("requets"))


@pytest.mark.parametrize(("ecosystem", "name", "target"), [
    ("npm", "env-cross", "cross-env"),
    ("pypi", "dateutil-python", "python-dateutil"),
])  # fmt: skip
def test_a_popular_name_with_its_words_in_another_order_is_held(
    ecosystem: str, name: str, target: str
) -> None:
    found = flagged(ecosystem, name)
    assert found is not None
    assert (found.target, found.kind) == (target, "order")
