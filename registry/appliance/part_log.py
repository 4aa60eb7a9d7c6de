"""What a part prints: kept in a file, its errors shown on the terminal, its last words remembered."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Say = Callable[[str], None]

FILE_BYTES = 16 * 1024 * 1024
"""From this size on a file becomes `<name>.log.1`, in place of the one before."""
LINE_BYTES = 64 * 1024
"""A longer line is cut in pieces."""
SHOWN_A_MINUTE = 5

_ERROR = re.compile(r'\b(?:ERROR|CRITICAL|FATAL|Traceback)\b|"level":[56]0\b|^\w+Error: ')


class PartLog:
    """The log of one part."""

    def __init__(self, folder: Path, name: str, say: Say, now: Callable[[], float] = time.monotonic) -> None:
        self.path = folder / f"{name}.log"
        self._name = name
        self._say = say
        self._now = now
        self._shown: deque[float] = deque(maxlen=SHOWN_A_MINUTE)
        self._last_words: deque[str] = deque(maxlen=5)
        self._rotate()
        self._file = self.path.open("ab")

    async def drain(self, stream: asyncio.StreamReader) -> None:
        """Keep all that comes until the stream ends."""
        rest = b""
        while chunk := await stream.read(LINE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self.write(line.decode("utf-8", "replace"))
        if rest:
            self.write(rest.decode("utf-8", "replace"))

    def write(self, line: str) -> None:
        """Keep a line of the part, and show it where it looks like an error."""
        line = "".join(character if character.isprintable() else " " for character in line.rstrip())
        self._append(line)
        if line:
            self._last_words.append(line)
        if _ERROR.search(line):
            self._show(line)

    def note(self, line: str) -> None:
        """Keep a line of ours."""
        self._append(f"--- {line}")

    def last_words(self) -> tuple[str, ...]:
        """What the part said last; told once."""
        words = tuple(self._last_words)
        self._last_words.clear()
        return words

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, line: str) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        try:
            self._file.write(f"{stamp} {self._name}: {line}\n".encode("utf-8", "replace"))
            self._file.flush()
            if self._file.tell() > FILE_BYTES:
                self._file.close()
                self._rotate()
                self._file = self.path.open("ab")
        except OSError:
            # A full disk stops the log of a part, not the part.
            self._show(line)

    def _rotate(self) -> None:
        if self.path.exists() and self.path.stat().st_size > FILE_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))

    def _show(self, line: str) -> None:
        now = self._now()
        if len(self._shown) == SHOWN_A_MINUTE and now - self._shown[0] < 60:
            return
        self._shown.append(now)
        more = f" (more in {self.path})" if len(self._shown) == SHOWN_A_MINUTE else ""
        self._say(f"{self._name}: {line[:500]}{more}")
