"""Find the weights of the look-alike score: scripts/lookalike-fit FOLDER

FOLDER holds {pypi,npm}_positives_dev.tsv (name, target, ...) and {pypi,npm}_longtail_dev.txt. Writes
registry/policy/lookalike/weights.py, and prints what five-fold cross-validation promises. Needs numpy, which
the product itself doesn't.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from registry.policy.lookalike.index import Candidate, LookalikeIndex  # noqa: E402
from registry.policy.names import KnownNames, shipped_names  # noqa: E402

ECOSYSTEMS = ("pypi", "npm")
FOLDS = 5
RIDGE = 0.3
WRONG_TARGET = 0.3
"""What a wrong target of a malicious name counts against a harmless name's."""
HOLD, DENY = 0.0055, 0.0010
"""False alarms that the scores 0.5 and 0.9 are put at: a third below what may be measured on other names."""

SHOWN = (0.0005, DENY, 0.0015, 0.0025, HOLD, 0.008, 0.015)
DOCSTRING = (
    "The weights of the look-alike score, by ecosystem; written by scripts/lookalike-fit, not by hand."
)

Array = Any


class Case(NamedTuple):
    """One name, what it was taken for (None for a harmless one), and what it resembles."""

    name: str
    target: str | None
    candidates: tuple[Candidate, ...]


def main() -> None:
    """Fit both ecosystems."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    known = {name: shipped_names(name) for name in ECOSYSTEMS}
    lines = [f'"""{DOCSTRING}"""', "", "WEIGHTS: dict[str, dict[str, float]] = {"]
    scales = {}
    for ecosystem in ECOSYSTEMS:
        weights, scales[ecosystem] = fit_ecosystem(ecosystem, known, folder)
        rows = (f'        "{name}": {weight:.3f},' for name, weight in weights.items())
        lines += [f'    "{ecosystem}": {{', *rows, "    },"]
    lines += ["}", "", "SCALES: dict[str, tuple[float, float]] = {"]
    lines += [f'    "{name}": ({slope:.4f}, {shift:.4f}),' for name, (slope, shift) in scales.items()]
    lines += ["}", '"""Slope and shift that put a sum of weights on the scale of scores."""', ""]
    (ROOT / "registry/policy/lookalike/weights.py").write_text("\n".join(lines))


def fit_ecosystem(
    ecosystem: str, known: dict[str, KnownNames], folder: Path
) -> tuple[dict[str, float], tuple[float, float]]:
    """Weights, and the scale that puts the wanted false alarms at 0.5 and 0.9."""
    index = LookalikeIndex(ecosystem, known)
    malicious, harmless = cases(index, ecosystem, folder)
    names = sorted({name for case in malicious + harmless for c in case.candidates for name in c.features})
    column = {name: number for number, name in enumerate(names)}
    right, wrong = [], []
    for fold in range(FOLDS):
        weights = fit(rest(malicious, fold), rest(harmless, fold), column)
        right += [best(case, weights, column) for case in malicious[fold::FOLDS]]
        wrong += [best(case, weights, column)[0] for case in harmless[fold::FOLDS]]
    wrong.sort(reverse=True)
    marks = {share: wrong[int(len(wrong) * share)] for share in SHOWN}
    for share, mark in marks.items():
        hits = [hit for score, hit in right if score > mark]
        print(
            f"{ecosystem}: {share:7.2%} false alarms, recall {sum(hits) / len(right):.3f}, "
            f"right target {sum(hits) / len(hits):.3f}, above {mark:.2f}"
        )
    slope = float(np.log(9)) / (marks[DENY] - marks[HOLD])
    weights = fit(malicious, harmless, column)
    return dict(zip(names, weights, strict=True)), (slope, -slope * marks[HOLD])


def cases(index: LookalikeIndex, ecosystem: str, folder: Path) -> tuple[list[Case], list[Case]]:
    """The malicious and the harmless names, shuffled alike every time."""
    lines = (folder / f"{ecosystem}_positives_dev.tsv").read_text().splitlines()[1:]
    tail = (folder / f"{ecosystem}_longtail_dev.txt").read_text().split()
    pairs = (line.split("\t")[:2] for line in lines)
    malicious = [Case(name, target, weighed(index, name)) for name, target in pairs]
    harmless = [Case(name, None, weighed(index, name)) for name in tail]
    shuffle = random.Random(1).shuffle  # noqa: S311 - the folds must be the same every time
    shuffle(malicious)
    shuffle(harmless)
    return malicious, harmless


def weighed(index: LookalikeIndex, name: str) -> tuple[Candidate, ...]:
    """The candidates of a name that the score decides about."""
    if index.is_settled(name):
        return ()
    return tuple(candidate for candidate in index.candidates(name) if not candidate.abroad)


def rest(cases: Sequence[Case], fold: int) -> list[Case]:
    """All but one fold."""
    return [case for number, case in enumerate(cases) if number % FOLDS != fold]


def rows(malicious: Sequence[Case], harmless: Sequence[Case]) -> Iterator[tuple[Candidate, bool, float]]:
    """What the fit learns from: a candidate, whether it is the target, and how much it counts."""
    for case in malicious:
        for candidate in case.candidates:
            hit = candidate.target == case.target
            yield candidate, hit, 1.0 if hit else WRONG_TARGET
    for case in harmless:
        for candidate in case.candidates:
            yield candidate, False, 1.0


def fit(malicious: Sequence[Case], harmless: Sequence[Case], column: dict[str, int]) -> Array:
    """Ridge-regularised logistic regression by Newton's method."""
    found = list(rows(malicious, harmless))
    matrix = np.array([vector(candidate, column) for candidate, _, _ in found])
    truth = np.array([hit for _, hit, _ in found], float)
    counts = np.array([count for _, _, count in found])
    weights = np.zeros(matrix.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(matrix @ weights, -30, 30)))
        slope = matrix.T @ (counts * (chance - truth)) + RIDGE * weights
        curve = (matrix * (counts * chance * (1 - chance))[:, None]).T @ matrix + RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if abs(step).max() < 1e-6:
            break
    return weights


def vector(candidate: Candidate, column: dict[str, int]) -> Array:
    """A candidate's features in a row."""
    found = np.zeros(len(column))
    for name, value in candidate.features.items():
        found[column[name]] = value
    return found


def best(case: Case, weights: Array, column: dict[str, int]) -> tuple[float, bool]:
    """The highest sum of weights of a name's candidates, and whether it names the right target."""
    sums = [(float(vector(c, column) @ weights), c.target == case.target) for c in case.candidates]
    return max(sums, default=(-99.0, False))


if __name__ == "__main__":
    main()
