"""docs/policy.md says what the policy does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry.policy.lookalike.index import LookalikeIndex
from registry.policy.sections import EFFECTS, MODES, RULES
from tests.policy.worlds import shipped

DOCUMENT = Path("docs/policy.md").read_text("utf-8")
SENTENCES = re.findall(r"^    '([^']+)' ((?:looks|is) .+)$", DOCUMENT, re.MULTILINE)


@pytest.mark.parametrize("word", [*MODES, *EFFECTS, *RULES, "allow", "deny", "ours", "hold"])
def test_every_word_of_the_file_is_explained(word: str) -> None:
    assert f"`{word}`" in DOCUMENT or f"**{word}**" in DOCUMENT


def test_the_sentences_shown_are_the_ones_told() -> None:
    indexes = [LookalikeIndex(name, shipped()) for name in shipped()]
    assert len(SENTENCES) == 3
    for name, sentence in SENTENCES:
        found = [index.nearest(name) for index in indexes]
        assert sentence in [one.explanation for one in found if one], name
