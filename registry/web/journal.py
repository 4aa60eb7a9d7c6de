"""The process log: one JSON line an event, so that nothing hostile in it can look like another event."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec

TEXT = 512
"""Characters of any one value; the rest is cut."""
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, then what it was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, str] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage()[:TEXT],
        }
        line |= {key: str(value)[:TEXT] for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-4 * TEXT :]
        return msgspec.json.encode(line).decode()


def write_journal(level: str) -> None:
    """Send everything that is logged in this process to standard error."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[lines], force=True)
    logging.captureWarnings(True)  # libraries quote requests in them
    for noisy in ("asyncio", "nodesemver"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
