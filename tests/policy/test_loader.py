from __future__ import annotations

from pathlib import Path

import pytest

from registry.errors import ConfigurationError
from registry.policy.loader import check_policy
from registry.policy.names import parse_names
from registry.policy.sections import EFFECTS, RULES, SEVERITIES, UNDATED, split_range
from tests.policy.worlds import ECOSYSTEMS, GUARDED, make_policy, project, pypi, row

SHIPPED = Path("config/policy.toml")


def problems(text: str, *rows: object) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        make_policy(text, rows)  # type: ignore[arg-type]
    return caught.value.problems


def test_the_shipped_file_guards_both_ecosystems() -> None:
    policy = make_policy(SHIPPED.read_text())
    assert [policy.mode(name) for name in ("pypi", "npm")] == ["guarded", "guarded"]


def test_every_key_of_the_file_is_explained_in_the_shipped_one() -> None:
    text = SHIPPED.read_text()
    for word in (
        "mode",
        "allow",
        "deny",
        "ours",
        "versions",
        "reason",
        "[rules]",
        "[lookalike]",
        *(f"{rule} = " for rule in RULES),
        "freeze",
        "exempt",
        "[age]",
        "[vulnerabilities]",
        *(f"{severity} = " for severity in SEVERITIES),
        "days",
        "undated",
        *UNDATED,
        *EFFECTS,
        "hold",
        "off",
    ):
        assert word in text


def test_all_mistakes_are_reported_at_once_each_with_its_key() -> None:
    text = """
        [pypi]
        mode = "garded"
        alow = []
        allow = ["two words", "flask>>4", { nam = "x" }, 3, { name = 4 }]
        deny = "flask"
        ours = ["acme-core>1"]
        [rules]
        lookalike = "loud"
        [lookalike]
        hold = 2
    """
    found = problems(text, row("deny", "$$", id=7), row("deny", "x", ecosystem="cargo", id=8))
    for start in (
        "line 3: pypi.mode: 'garded' is no mode (did you mean 'guarded'?)",
        "line 4: pypi.alow: is no key (did you mean 'allow'?)",
        "line 5: pypi.allow[1]: 'words'",
        "line 5: pypi.allow[2]: '>>4'",
        "line 5: pypi.allow[3].nam: is no key (did you mean 'name'?)",
        "line 5: pypi.allow[3]: has no name",
        "line 5: pypi.allow[4]: 3 is no name",
        "line 5: pypi.allow[5].name: must be a text",
        "line 6: pypi.deny: must be a list",
        "line 7: pypi.ours[1]: a name is ours in all its versions",
        "npm.mode: is missing",
        "line 9: rules.lookalike: 'loud' is no effect",
        "line 11: lookalike.hold: 2 is no score",
        "policy entry 7: '$$'",
        "policy entry 8: there is no ecosystem 'cargo'",
    ):
        assert any(problem.startswith(start) for problem in found), start
    assert len(found) == 15


def test_a_file_that_is_not_toml_is_one_mistake() -> None:
    (problem,) = problems("[pypi\nmode")
    assert "line 1" in problem


def test_an_empty_file_is_a_mistake() -> None:
    assert [problem.partition(":")[0] for problem in problems("")] == ["pypi.mode", "npm.mode"]


def test_a_policy_with_every_rule_off_is_a_mistake() -> None:
    off = "[rules]\n" + "".join(f'{rule} = "off"\n' for rule in RULES)
    off += "[vulnerabilities]\n" + "".join(f'{severity} = "off"\n' for severity in SEVERITIES)
    assert [problem.split(": ")[:2] for problem in problems(GUARDED + off)] == [
        ["line 1", "pypi"],
        ["line 3", "npm"],
    ]


def test_a_denylist_alone_is_a_policy_even_while_it_is_empty() -> None:
    off = "".join(f'{rule} = "off"\n' for rule in RULES if rule != "denylist")
    make_policy(GUARDED + f"[rules]\n{off}")


def test_a_file_can_be_checked_without_the_known_names() -> None:
    check_policy(SHIPPED.read_text(), [row("deny", "flask")], ECOSYSTEMS)
    with pytest.raises(ConfigurationError) as caught:
        check_policy(GUARDED, [row("deny", "$$", id=7)], ECOSYSTEMS)
    assert caught.value.problems[0].startswith("policy entry 7: '$$'")


@pytest.mark.parametrize("rule", ["denylist", "lookalike", "ownership"])
def test_a_name_cant_be_hidden(rule: str) -> None:
    (problem,) = problems(GUARDED + f'[npm.rules]\n{rule} = "hide"\n')
    assert problem.startswith(f"line 6: npm.rules.{rule}: can't hide a name")


def test_scores_must_be_in_order() -> None:
    (problem,) = problems(GUARDED + "[lookalike]\nhold = 0.9\ndeny = 0.5\n")
    assert problem.startswith("line 6: lookalike.hold")


@pytest.mark.parametrize(
    "lines",
    [
        'allow = ["flask"]\ndeny = ["flask"]',
        'allow = ["flask>=2"]\ndeny = ["flask"]',
        'allow = ["flask"]\ndeny = ["fl*"]',
        'ours = ["acme-*"]\ndeny = ["acme-*"]',
        'allow = ["flask", "Flask"]',
    ],
)
def test_lines_that_contradict_or_repeat_each_other_are_mistakes(lines: str) -> None:
    assert len(problems(pypi(lines))) == 1


def test_a_denied_range_within_an_allowed_name_is_no_contradiction() -> None:
    make_policy(pypi('allow = ["flask"]\ndeny = ["flask<2"]'))


def test_a_row_may_deny_what_the_file_allows() -> None:
    make_policy(pypi('allow = ["flask"]'), [row("deny", "flask")])


@pytest.mark.parametrize(
    ("text", "name", "versions"),
    [
        ("requests", "requests", ""),
        ("django>=4,<6", "django", ">=4,<6"),
        ("django ~= 4.2", "django", "~= 4.2"),
        ("lodash@^4.17", "lodash", "^4.17"),
        ("@acme/ui", "@acme/ui", ""),
        ("@acme/ui@^1 || ^2", "@acme/ui", "^1 || ^2"),
    ],
)
def test_a_name_is_parted_from_its_range(text: str, name: str, versions: str) -> None:
    assert split_range(text) == (name, versions)


def test_patterns_count_in_their_canonical_spelling() -> None:
    policy = make_policy(pypi('ours = ["Acme_*"]'))
    assert policy.ours(project("acme-core"))


def test_the_revision_tells_policies_apart() -> None:
    revisions = {
        make_policy().revision,
        make_policy(GUARDED + "# a comment").revision,
        make_policy(GUARDED, [row("deny", "flask")]).revision,
        make_policy(private={"pypi": ["inhouse"]}).revision,
    }
    assert len(revisions) == 4
    assert make_policy().revision == make_policy().revision


def test_a_list_of_names_without_names_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        parse_names("pypi", "# nothing\n\n")


def test_an_import_without_its_package_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="no pair"):
        parse_names("pypi", "requests", imports="cv2")


def test_a_line_of_a_list_over_many_lines_is_found() -> None:
    text = '''# "pypi" = [
[pypi]
mode = "guarded"
allow = [  # an element, "another"
    "flask",
    { name = "django", versions = "<6", reason = "a ] and a # in it, and \\" too" },

    "six>>1",
    "requests",
    { name = "numpy", until = 1 },
]
reason = """
deny = [
"""
"npm".mode = "guarded"
[npm.rules]
"age" = "slow"
'''
    starts = ["line 8: pypi.allow[3]: ", "line 10: pypi.allow[5].until: ", "line 12: pypi.reason: "]
    starts += ["line 17: npm.rules.age: "]
    found = problems(text)
    assert all(any(problem.startswith(start) for problem in found) for start in starts), found
