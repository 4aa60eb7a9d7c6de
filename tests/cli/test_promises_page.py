"""`docs/promises.md` names tests that are there, and leaves no row out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text()
ROWS = {"I": 16, "U": 34, "F": 32, "L": 12, "H": 16, "P": 13, "W": 10}


def rows() -> dict[str, str]:
    """What the page says of each row."""
    return dict(re.findall(r"^\| ([A-Z]\d+) \| .*? \| (.*) \|$", PAGE, re.MULTILINE))


def test_every_row_names_a_test_or_says_that_it_is_not_shown() -> None:
    told = rows()
    assert told.keys() == {
        f"{letter}{number}" for letter, most in ROWS.items() for number in range(1, most + 1)
    }
    for row, shown in told.items():
        assert "`tests/" in shown or shown.startswith("Not shown"), row


def test_every_named_test_is_there() -> None:
    named = re.findall(r"`(tests/[^`:]+)(?:::(\w+))?`", PAGE)
    assert named
    for file, name in named:
        assert (ROOT / file).is_file(), file
        assert not name or re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (
            name
        )
