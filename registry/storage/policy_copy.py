"""A copy of the last policy file that could be used, so that a broken one isn't no policy after a restart."""

from __future__ import annotations

from pathlib import Path

from registry.storage.durable import explain, move_into, seal, temp_file, write_all

_PLACE = "the data directory"


class PolicyCopy:
    """One text in one file of the data directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """The text that was kept last, or None. Blocks."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def keep(self, text: str) -> None:
        """Keep a text in place of the one before, durable when this returns. Blocks; raises Unavailable."""
        if self.read() == text:
            return
        try:
            descriptor, staged = temp_file(self._path.parent)
            try:
                write_all(descriptor, text.encode())
                seal(descriptor)
                move_into(staged, self._path.parent, self._path.name)
            except OSError:
                staged.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise explain(error, _PLACE) from error
