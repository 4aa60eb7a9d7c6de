"""Files that are being sent: closed when nobody sends them any more."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path

from registry.web.reading import READING, unreadable

MOST = 64
"""Files that are kept open for whoever asks next."""


class OpenFile:
    """A file that is open as long as someone has this."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: Path | str) -> None:
        """Raises OSError."""
        self._descriptor = -1
        self._descriptor = os.open(path, READING)

    def fileno(self) -> int:
        """Its descriptor; where that is at counts for nobody."""
        return self._descriptor

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class OpenFiles:
    """Files of which none changes while it has its name. Those asked for last stay open: opening one costs a
    quarter of what a whole small answer does."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._files: OrderedDict[str, OpenFile] = OrderedDict()

    def get(self, path: str) -> OpenFile:
        """The file there. Raises Unavailable."""
        found = self._files.get(path)
        if found is None:
            try:
                found = self._files[path] = OpenFile(path)
            except OSError as error:
                raise unreadable(error) from error
            if len(self._files) > self._most:
                self._files.popitem(last=False)
        else:
            self._files.move_to_end(path)
        return found
