"""Lists of known names that an operator brought, in place of the shipped ones."""

from __future__ import annotations

from pathlib import Path

from registry.storage.durable import explain, move_into, seal, temp_file, write_all


class NameLists:
    """One text file an ecosystem, one name a line, the most popular first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def read(self, ecosystem: str) -> str | None:
        """The list, or None where nobody brought one. Blocks; raises Unavailable."""
        try:
            return self._path(ecosystem).read_text("utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise explain(error, "the list of known names") from error

    def generation(self, ecosystem: str) -> tuple[int, int]:
        """Differs once another process wrote the list. Blocks for a moment; raises Unavailable."""
        try:
            status = self._path(ecosystem).stat()
        except FileNotFoundError:
            return 0, 0
        except OSError as error:
            raise explain(error, "the list of known names") from error
        return status.st_mtime_ns, status.st_ino

    def write(self, ecosystem: str, text: str) -> None:
        """Replace it, durably and at once. Blocks; raises Unavailable."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, staged = temp_file(self._directory)
            write_all(descriptor, text.encode())
            seal(descriptor)
            move_into(staged, self._directory, self._path(ecosystem).name)
        except OSError as error:
            raise explain(error, "the list of known names") from error

    def _path(self, ecosystem: str) -> Path:
        return self._directory / f"{ecosystem}.txt"
