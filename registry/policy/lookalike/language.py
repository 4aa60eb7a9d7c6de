"""Which words the known names are made of, and which letters follow which in them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from registry.policy.lookalike.spelling import words

_MOST = 6.0
"""Surprise at letters that never follow each other in known names."""


class Language:
    """The vocabulary of many names."""

    def __init__(self, names: Iterable[str]) -> None:
        self.words = Counter(word for name in names for word in words(name))
        triples: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for word in self.words:
            padded = f"^{word}$"
            triples.update(padded[i : i + 3] for i in range(len(padded) - 2))
            pairs.update(padded[i : i + 2] for i in range(len(padded) - 2))
        self._surprise = {
            triple: -math.log((count + 0.05) / (pairs[triple[:2]] + 2))
            for triple, count in triples.items()
            if count > 1
        }

    def surprise(self, word: str) -> float:
        """How unlike a word of a known name it is, summed over its letters (natural logarithm)."""
        padded = f"^{word}$"
        return sum(self._surprise.get(padded[i : i + 3], _MOST) for i in range(len(padded) - 2))

    def seen(self, word: str) -> float:
        """How often a word is part of a known name, as ln(1 + n)."""
        return math.log1p(self.words.get(word, 0))
