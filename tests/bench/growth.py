"""What a warm request costs when the cache holds a thousand artifacts, and when it holds a million.

Two appliances run side by side, with the same real packages and so many synthetic rows: a wheel, its project and
its document, copied from the real ones under other names. They are asked in turn, a second each; how much a request has
grown is the middle one of what the rounds say, so that what else the machine does for a while doesn't count.

`python -m tests.bench.growth` does that alone and prints it; nothing needs to be captured before.
"""

from __future__ import annotations

import http.client
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import apsw

from tests.bench.cost import resident, settle
from tests.bench.load import closed_loop
from tests.bench.static import PACKUMENT, SIMPLE
from tests.bench.systems import APPLIANCE_PORT, System, appliance, stop_when_ended
from tests.upstream import LyingUpstream, make_tarball, make_wheel

SIZES = (1_000, 1_000_000)
"""Artifacts in the cache."""
TO_A_PROJECT = 10
MOST = 1.2
"""Times that a warm request's CPU may grow."""
ROUNDS = 12
SETTLED = 1.0
"""Seconds without work after which an appliance has begun: with many rows it looks through them once."""
PORT = APPLIANCE_PORT + 10

WHEEL = make_wheel("grown", "1.0")
TARBALL = make_tarball("grown", "1.0.0")
INDEX, FILE = "/pypi/simple/grown/", f"/pypi/files/grown/{WHEEL.filename}"
PACKUMENT_PATH, TARBALL_PATH = "/npm/grown", "/npm/grown/-/grown-1.0.0.tgz"


@dataclass(frozen=True)
class Grown:
    """One kind of request."""

    title: str
    rounds: tuple[tuple[float, ...], ...]
    """CPU seconds a request, of each round, for each of SIZES."""

    @property
    def cpu(self) -> list[float]:
        """The middle one of the rounds, for each of SIZES."""
        return [median(spent) for spent in zip(*self.rounds, strict=True)]

    @property
    def growth(self) -> float:
        """Of the largest cache against the smallest, asked one right after the other."""
        return median(spent[-1] / spent[0] for spent in self.rounds)


def measured(folder: Path, seconds: float = 1) -> tuple[list[Grown], str]:
    """Every kind of request; and what else differs, in a sentence."""
    upstream = LyingUpstream()
    upstream.add(WHEEL, TARBALL)
    with ExitStack() as stack:
        stack.enter_context(upstream.in_a_thread())
        systems = [_stocked(folder / str(size), upstream, PORT + at, size) for at, size in enumerate(SIZES)]
        for system, size in zip(systems, SIZES, strict=True):
            stack.enter_context(system.running(folder / str(size)))
        for system in systems:
            settle(system.pid, SETTLED)
        requests = dict(_requests(systems[0]))
        costs: dict[str, list[tuple[float, ...]]] = {title: [] for title in requests}
        order = list(enumerate(systems))
        for _ in range(ROUNDS):
            for title, (path, headers) in requests.items():
                spent = [0.0 for _ in SIZES]
                for at, system in order:
                    load = closed_loop(system.pid, f"{system.url}{path}", headers, seconds)
                    assert not load.errors, (system.name, title, load)
                    spent[at] = load.cpu
                costs[title].append(tuple(spent))
            order.reverse()
        told = "; ".join(
            f"{size:,} artifacts: started in {system.start_seconds:.1f} s, {resident(system.pid)[1] / 1e6:.0f} MB"
            for system, size in zip(systems, SIZES, strict=True)
        )
    return [Grown(title, tuple(rounds)) for title, rounds in costs.items()], f"{told} (PSS)."


def table(found: list[Grown], told: str) -> str:
    """In Markdown."""
    heads = " | ".join(f"{size:,} artifacts" for size in SIZES)
    lines = [f"| CPU of a warm request | {heads} | growth |", f"| --- |{' --- |' * len(SIZES)} --- |"]
    for each in found:
        cells = " | ".join(f"{cpu * 1e6:,.0f} µs" for cpu in each.cpu)
        lines.append(f"| {each.title} | {cells} | {each.growth:.2f} x |")
    return "\n".join([*lines, "", told])


def _stocked(folder: Path, upstream: LyingUpstream, port: int, size: int) -> System:
    """An appliance that has the real packages, and then so many artifacts in its database."""
    system = appliance(folder)
    environ = {
        **system.environ,
        "REGISTRY_PORT": str(port),
        "REGISTRY_NPM_UPSTREAM": upstream.url_npm,
        "REGISTRY_PYPI_UPSTREAM": upstream.url_pypi,
    }
    system = replace(system, name=f"cache of {size}", port=port, environ=environ)
    with system.running(folder):
        for path in (INDEX, FILE, PACKUMENT_PATH, TARBALL_PATH):
            _asked(system, path, {})
    grow(folder / "data" / "registry.db", size)
    return system


def grow(database: Path, size: int) -> None:
    """Copy the rows of the real wheel until there are `size` artifacts. Nobody else may have it open."""
    connection = apsw.Connection(str(database))
    number = f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {size})"
    project = f"printf('grown-%06d', n / {TO_A_PROJECT})"
    filename = f"printf('grown_%06d-1.%d-py3-none-any.whl', n / {TO_A_PROJECT}, n % {TO_A_PROJECT})"
    version = f"printf('1.%d', n % {TO_A_PROJECT})"
    artifact = {"project": project, "filename": filename, "version": version}
    listing = {"project": project, "id": "NULL", "first": filename, "last": filename}
    with connection:
        connection.execute(f"{number} {_copies(connection, 'artifact', artifact, 'project')}, number")
        for table, new, key in (
            ("listing", listing, "project"),
            ("document", {"project": project}, "project"),
            ("project", {"name": project}, "name"),
        ):
            copies = _copies(connection, table, new, key)
            connection.execute(f"{number} {copies}, number WHERE n % {TO_A_PROJECT} = 0")
    connection.pragma("wal_checkpoint", "truncate")
    connection.close()


def _copies(connection: apsw.Connection, table: str, new: dict[str, str], key: str) -> str:
    """Inserts what a row of the real project says, with other values in some columns, joined with what follows."""
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(new.get(column, f"was.{column}") for column in columns)
    was = f"(SELECT * FROM {table} WHERE ecosystem = 'pypi' AND {key} = 'grown') AS was"
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {was}"


def _requests(system: System) -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
    simple, packument = dict(SIMPLE), dict(PACKUMENT)
    tag = _asked(system, INDEX, simple)
    yield "simple index", (INDEX, simple)
    yield "304 of it", (INDEX, {**simple, "If-None-Match": tag})
    yield "wheel, delivery recorded", (FILE, {})
    yield "packument", (PACKUMENT_PATH, packument)
    yield "tarball, delivery recorded", (TARBALL_PATH, {})


def _asked(system: System, path: str, headers: dict[str, str]) -> str:
    """The ETag of the answer, which must be a whole 200."""
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, (path, answer.status, answer.reason)
    connection.close()
    return answer.getheader("ETag", "")


def main() -> None:
    """Measure and print; exit with 1 where a request grew too much."""
    with tempfile.TemporaryDirectory(prefix="bench-growth-") as folder:
        found, told = measured(Path(folder))
    print(table(found, told))
    if worst := [each.title for each in found if each.growth > MOST]:
        raise SystemExit(f"grew more than {MOST} times: {', '.join(worst)}")


if __name__ == "__main__":
    stop_when_ended()
    main()
