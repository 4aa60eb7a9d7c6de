"""How names are written and mistyped: words, skeletons, look-alike letters, neighbouring keys."""

from __future__ import annotations

from functools import lru_cache

_SEPARATORS = "-_./@"
_TO_SPACES = str.maketrans(_SEPARATORS, " " * len(_SEPARATORS))
_TO_NOTHING = str.maketrans("", "", _SEPARATORS)

_LOOKS_LIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b"})
_PAIRS_LOOK_LIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("nn", "m"))

_ROWS = ("1234567890-", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouy")
_SOUNDS_LIKE = frozenset(
    frozenset(pair) for pair in ("ck", "sz", "cs", "iy", "fv", "bp", "dt", "gj", "qk", "mn", "xs", "vw", "ij")
)


def words(name: str) -> tuple[str, ...]:
    """The parts between separators and slashes, lower case: `@babel/core` → babel, core."""
    return tuple(name.lower().translate(_TO_SPACES).split())


def skeleton(name: str) -> str:
    """What is left without separators, scopes joined: `@Babel/core` → `babelcore`."""
    return name.lower().translate(_TO_NOTHING)


def folded(skeleton: str) -> str:
    """The skeleton with letters that look alike made one: `co1ors` → `colors`, `rnoment` → `moment`."""
    for pair, letter in _PAIRS_LOOK_LIKE:
        skeleton = skeleton.replace(pair, letter)
    return skeleton.translate(_LOOKS_LIKE)


@lru_cache(maxsize=2_048)
def alike(one: str, other: str) -> bool:
    """Whether two letters look alike."""
    return one.translate(_LOOKS_LIKE) == other.translate(_LOOKS_LIKE)


def neighbours(one: str, other: str) -> bool:
    """Whether two keys touch each other on a common keyboard."""
    return other in _TOUCHING.get(one, "")


def sound_alike(one: str, other: str) -> bool:
    """Whether two letters are taken for each other by ear: two vowels, `c` and `k`."""
    return (one in _VOWELS and other in _VOWELS) or frozenset((one, other)) in _SOUNDS_LIKE


def _touching() -> dict[str, str]:
    near: dict[str, str] = {}
    for y, row in enumerate(_ROWS):
        for x, key in enumerate(row):
            around = [(y, x - 1), (y, x + 1), (y - 1, x), (y - 1, x + 1), (y + 1, x), (y + 1, x - 1)]
            near[key] = "".join(
                _ROWS[j][i] for j, i in around if 0 <= j < len(_ROWS) and 0 <= i < len(_ROWS[j])
            )
    return near


_TOUCHING = _touching()
