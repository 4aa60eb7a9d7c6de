"""What is done to each system, and what it cost."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.bench.cost import Memory, cpu_seconds, settle, watching
from tests.bench.load import Load, closed_loop
from tests.bench.static import PACKUMENT, SIMPLE
from tests.bench.systems import System, upstream_requests
from tests.bench.workload import Installed, install_npm, install_python

SETTLED = 0.3
"""Seconds after an install in which what it left to do is done."""
QUIET = 0.5
"""Seconds of rest before a kind of request is asked for."""
PATIENCE = 120.0
"""Seconds that one answer may take."""
LOOK = 0.25
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Install:
    """One complete install."""

    cpu: float
    seconds: float
    upstream: int
    failure: str


@dataclass
class Findings:
    """Of one system."""

    system: System
    cold: dict[str, Install] = field(default_factory=dict)
    warm: dict[str, Install] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    """Kinds of request that this one doesn't do, and what it does instead."""
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True)
class Row:
    """One kind of request."""

    title: str
    ecosystem: str
    project: str
    what: str
    """`index`, `304` or `file`."""
    file: str = ""
    """Where the file's name begins."""


ROWS = (
    Row("small simple index", "python", "iniconfig", "index"),
    Row("304 of it", "python", "iniconfig", "304"),
    Row("simple index of numpy", "python", "numpy", "index"),
    Row("wheel of 7 kB", "python", "iniconfig", "file", "iniconfig-2.3.1-py3-none-any"),
    Row("wheel of 17 MB", "python", "numpy", "file", "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64"),
    Row("small packument", "npm", "ms", "index"),
    Row("packument of typescript", "npm", "typescript", "index"),
    Row("tarball of 3 kB", "npm", "ms", "file", "ms-2.1.3"),
)


def installs(system: System) -> dict[str, Install]:
    """Both workloads, one after the other."""
    found = {}
    clients: tuple[tuple[str, str | None, Callable[[str], Installed]], ...] = (
        ("python", system.python, install_python),
        ("npm", system.npm, install_npm),
    )
    for name, path, client in clients:
        if path is None:
            continue
        asked, spent = upstream_requests(), cpu_seconds(system.pid)
        installed = client(f"{system.url}{path}")
        time.sleep(SETTLED)
        found[name] = Install(
            cpu=cpu_seconds(system.pid) - spent,
            seconds=installed.seconds,
            upstream=upstream_requests() - asked - 1,
            failure=installed.failure,
        )
        print(f"  {system.name}: {name} install {found[name]}", flush=True)
    return found


def median(rounds: list[dict[str, Install]]) -> dict[str, Install]:
    """Of each workload, the install in the middle by CPU."""
    return {
        name: sorted((each[name] for each in rounds), key=lambda i: i.cpu)[len(rounds) // 2]
        for name in rounds[0]
    }


def loads(findings: Findings, seconds: float) -> None:
    """Every kind of request, by 16 connections."""
    system = findings.system
    for row in ROWS:
        if (system.python if row.ecosystem == "python" else system.npm) is None:
            continue
        try:
            url, headers = address(system, row)
            instead = _instead(row, url, headers)
        except (OSError, http.client.HTTPException) as error:
            instead = f"no answer ({type(error).__name__})"
        except LookupError:
            instead = "lists no such file"
        if instead:
            findings.lacking[row.title] = instead
            continue
        settle(system.pid, QUIET)
        closed_loop(system.pid, url, headers, 1)
        load = closed_loop(system.pid, url, headers, seconds)
        if load.errors or not load.rate:
            findings.lacking[row.title] = (
                f"{load.errors} errors" if load.errors else f"none in {seconds:.0f} s"
            )
            continue
        findings.loads[row.title] = load
        print(f"  {system.name}: {row.title}: {load.cpu * 1e6:,.0f} µs, {load.rate:,.0f}/s", flush=True)


def _instead(row: Row, url: str, headers: Mapping[str, str]) -> str:
    """What a system does where something else is asked of it; empty for one that does that."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request(
            "GET", urllib.parse.urlunsplit(("", "", parts.path, parts.query, "")), headers=dict(headers)
        )
        status = connection.getresponse().status
    finally:
        connection.close()
    if 300 < status < 400 and status != 304:
        return "redirects away"
    if row.what == "304" and status == 200:
        return "has none"
    return "" if status in {200, 304} else f"answers {status}"


def measured(system: System, rounds: int, seconds: float) -> Findings:
    """A system that was never asked: cold, warm, under load."""
    findings = Findings(system)
    with watching(system.pid, LOOK) as findings.memory:
        findings.cold = installs(system)
        if not any(install.failure for install in findings.cold.values()):
            installs(system)
        return warm(findings, rounds, seconds)


def warm(findings: Findings, rounds: int, seconds: float) -> Findings:
    """The rest, for a system that has everything."""
    system = findings.system
    findings.warm = median([installs(system) for _ in range(rounds)])
    loads(findings, seconds)
    return findings


def whole(findings: Findings) -> Findings:
    """Findings of a system that does everything. Ends the run where it didn't: nothing can be compared then."""
    failed = {name: done.failure for name, done in (findings.cold | findings.warm).items() if done.failure}
    if found := findings.lacking | failed:
        raise SystemExit(f"{findings.system.name} didn't do everything: {found}")
    return findings


def address(system: System, row: Row) -> tuple[str, dict[str, str]]:
    """URL and headers of a row's request at this system. LookupError: its index lists no such file."""
    if row.ecosystem == "python":
        path, headers = f"{system.python}{row.project}/", SIMPLE
    else:
        path, headers = f"{system.npm}{row.project}", PACKUMENT
    if row.what == "index":
        return system.url + path, dict(headers)
    if row.what == "304":
        fields, _ = _asked(system, path, headers)  # the gzipped form may have a tag of its own
        tags = {"If-None-Match": fields["ETag"]} if "ETag" in fields else {}
        return system.url + path, {**headers, **tags}
    fields, body = _asked(system, path, {"Accept": headers["Accept"]})
    for link in _links(body, fields.get("Content-Type", "")):
        if urllib.parse.unquote(link).rpartition("/")[2].startswith(row.file):
            return urllib.parse.urljoin(system.url + path, link).partition("#")[0], {}
    raise LookupError(row.file)


def _asked(system: System, path: str, headers: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=PATIENCE)
    connection.request("GET", path, headers=dict(headers))
    answer = connection.getresponse()
    body, fields = answer.read(), dict(answer.getheaders())
    connection.close()
    return {name.title().replace("Etag", "ETag"): value for name, value in fields.items()}, body


def _links(body: bytes, content_type: str) -> list[str]:
    if "html" in content_type:
        parser = _Anchors()
        parser.feed(body.decode())
        return parser.found
    try:
        document = json.loads(body)
    except ValueError as error:
        raise LookupError("no index") from error
    if "files" in document:
        return [file["url"] for file in document["files"]]
    return [version["dist"]["tarball"] for version in document["versions"].values()]


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]
