"""F21: a migration that is killed at any of its system calls leaves the old schema or the new one, and the rows.

A sample, all of them with --long.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import apsw
import pytest

from registry.storage.connections import connect, migrate
from registry.storage.database import Database
from registry.storage.schema import MIGRATIONS
from tests.chaos.test_system_calls import STRACE

CALLS = ("pwrite64", "write", "fdatasync", "fsync", "unlink", "ftruncate")
MIGRATING = """
import sys
from pathlib import Path
from registry.storage.database import Database
Database.open(Path(sys.argv[1])).close()
"""


def traced(folder: Path, *options: str) -> tuple[int, str]:
    """Open the database under strace; exit status and trace."""
    assert STRACE is not None
    trace = folder / "trace"
    command = [STRACE, "-f", "-o", str(trace), *options, str(Path(sys.executable).resolve()), "-c", MIGRATING]
    environ = {
        "PYTHONPATH": ":".join([str(Path(__file__).parents[2]), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [*command, str(folder / "root" / "registry.db")],
        capture_output=True,
        env=environ,
        check=False,
        timeout=60,
    )
    return done.returncode, trace.read_text()


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A database of the release before, with a row in it."""
    if STRACE is None:
        pytest.skip("strace isn't installed here")
    probe = subprocess.run([STRACE, "-f", "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"strace may not trace here: {probe.stderr.strip()[-100:]}")
    path = tmp_path / "root" / "registry.db"
    path.parent.mkdir()
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    migrate(connection, path, MIGRATIONS[:-1])
    connection.execute("INSERT INTO fact (name, value) VALUES ('kept', 'yes')").fetchall()
    connection.close()
    return tmp_path


def require_old_or_new(path: Path) -> int:
    """The schema as it is found, which opens, is migrated, and has its row."""
    connection = connect(path)
    found = int(connection.pragma("user_version"))
    assert str(connection.pragma("integrity_check")) == "ok"
    connection.close()
    assert found in {len(MIGRATIONS) - 1, len(MIGRATIONS)}
    database = Database.open(path)
    assert database.row("SELECT value FROM fact WHERE name = 'kept'") == ("yes",)
    row = database.row("PRAGMA user_version")
    assert row is not None
    assert row[0] == len(MIGRATIONS)
    database.close()
    return found


def test_a_killed_migration_leaves_one_schema_or_the_other(older: Path, pytestconfig: pytest.Config) -> None:
    pristine = older / "pristine"
    shutil.copytree(older / "root", pristine)
    _, trace = traced_anew(older, pristine, "-e", f"trace={','.join(CALLS)}")
    found = Counter(re.findall(r"^(\d+) +(\w+)\(", trace, re.MULTILINE))
    most = {call: max((n for (_, name), n in found.items() if name == call), default=0) for call in CALLS}
    points = [(call, number) for call in CALLS for number in range(1, most[call] + 1)]
    assert len(points) > 5, trace
    if not pytestconfig.getoption("--long"):
        points = points[:: max(1, len(points) // 6)]
    ends = Counter[int]()
    for call, number in points:
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        traced_anew(older, pristine, "-e", f"trace={call}", "-e", inject)
        ends[require_old_or_new(older / "root" / "registry.db")] += 1
    assert ends.total() == len(points)
    assert ends[len(MIGRATIONS) - 1], "some were killed before the commit"


def traced_anew(folder: Path, pristine: Path, *options: str) -> tuple[int, str]:
    shutil.rmtree(folder / "root")
    shutil.copytree(pristine, folder / "root")
    return traced(folder, *options)
