"""Where settings come from: environment beats file beats default; mistakes are kept, none stops it."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PREFIX = "REGISTRY_"


class Reader:
    """Reads one setting after the other and remembers which there are."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # An empty variable is an unset one: that is how Compose passes on what nobody set.
        self._environ = {name: text for name, text in environ.items() if text and name.startswith(PREFIX)}
        self._variables: set[str] = set()
        self._file = "the file"
        self._values: dict[str, object] = {}
        self.known: dict[str, object] = {}
        """Every setting that the file may have → its default."""
        self.problems: list[str] = []

    def variable(self, key: str, kind: Callable[[object], T], default: T) -> T:
        """A setting of the environment alone."""
        name = _variable(key)
        self._variables.add(name)
        return self._parsed(name, kind, self._environ[name], default) if name in self._environ else default

    def open(self, path: Path, *, required: bool) -> None:
        """Read the file; that it isn't there is a mistake where somebody named it."""
        self._file = path.name
        try:
            self._values = dict(_flat(tomllib.loads(path.read_text("utf-8"))))
        except FileNotFoundError:
            if required:
                self.problems.append(
                    f"{PREFIX}CONFIG: there is no file {path}; correct the path or unset it."
                )
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{self._file}: can't be read ({error}); correct its rights or its bytes.")
        except tomllib.TOMLDecodeError as error:
            self.problems.append(f"{self._file}: isn't TOML: {error}; correct that line.")

    def get(self, key: str, kind: Callable[[object], T], default: T) -> T:
        """A setting of environment or file. The default stands in for a value that is a mistake."""
        self.known[key] = default
        name = _variable(key)
        self._variables.add(name)
        if name in self._environ:
            return self._parsed(name, kind, self._environ[name], default)
        if key in self._values:
            return self._parsed(f"{self._file}: {key}", kind, self._values[key], default)
        return default

    def place(self, key: str) -> str:
        """What a message about a setting begins with: where it was set, else its variable."""
        name = _variable(key)
        return name if name in self._environ or key not in self._values else f"{self._file}: {key}"

    def report_unknown(self, others: frozenset[str]) -> None:
        """Note everything that was set and that nobody read; `others` are variables of somebody else."""
        for name in sorted(self._environ.keys() - self._variables - others):
            self.problems.append(f"{name}: there is no such setting; {_advice(name, self._variables)}")
        for key in sorted(self._values.keys() - self.known.keys()):
            self.problems.append(
                f"{self._file}: {key}: there is no such setting; {_advice(key, self.known.keys())}"
            )

    def _parsed(self, place: str, kind: Callable[[object], T], value: object, default: T) -> T:
        try:
            return kind(value)
        except ValueError as error:
            self.problems.append(f"{place}: {error}")
            return default


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", "_")


def _flat(document: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _advice(wrong: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(wrong, sorted(known), n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else "take it out."
