"""What has to be ours before anything starts: the directories, the lock on them, the port."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.errors import ConfigurationError
from registry.identity.keys import ensure_admin_token

BACKLOG = 1024
PRIVATE_FOLDERS = ("keys", "log", "private", "private/npm", "private/pypi", "private/tmp")


@dataclass(frozen=True, slots=True)
class Premises:
    """What is held while the appliance runs."""

    data: Path
    listener: socket.socket
    """Bound and listening."""

    @property
    def logs(self) -> Path:
        """Where the parts' logs are."""
        return self.data / "log"

    @property
    def private(self) -> Path:
        """Where the back ends keep what is theirs."""
        return self.data / "private"

    @property
    def admin_password(self) -> Path:
        """The file with the first admin's password, which the gateway makes."""
        return self.data / "keys" / "admin-password"


@contextmanager
def occupied(data: Path, host: str, port: int) -> Iterator[Premises]:
    """Hold the data directory and the port. Raises ConfigurationError with all that stands in the way."""
    problems: list[str] = []
    with ExitStack() as stack:
        try:
            _make_folders(data)
            stack.enter_context(_locked(data, host, port))
            ensure_admin_token(data)
        except BlockingIOError as error:
            # The port is the other one's too; one message is enough.
            raise ConfigurationError([str(error)]) from None
        except OSError as error:
            problems.append(
                f"REGISTRY_DATA: {data} can't be used ({error.strerror or error}); "
                "make it a writable directory of yours, or set another."
            )
        try:
            listener = stack.enter_context(_listening(host, port))
        except OSError as error:
            problems.append(_port_problem(host, port, error))
        if problems:
            raise ConfigurationError(problems)
        yield Premises(data, listener)


def _make_folders(data: Path) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in PRIVATE_FOLDERS:
        (data / name).mkdir(mode=0o700, exist_ok=True)
        (data / name).chmod(0o700)


@contextmanager
def _locked(data: Path, host: str, port: int) -> Iterator[None]:
    """Hold the data directory's lock, which the kernel lets go of however we end. Raises BlockingIOError."""
    with (data / "lock").open("a+", encoding="utf-8") as lock:
        lock.seek(0)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, address = lock.read().strip().partition(" ")
            raise BlockingIOError(
                f"REGISTRY_DATA: {data} is in use by the registry that runs as process {pid or '(starting)'} "
                f"on {address or 'some port'}; stop that one, or set another REGISTRY_DATA."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()} {host}:{port}\n")
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        yield listener


def _port_problem(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"REGISTRY_PORT: port {port} on {host} is in use by another program; stop it or set another."
    if error.errno == errno.EACCES:
        return f"REGISTRY_PORT: port {port} is for the superuser alone; set one from 1024 on."
    return (
        f"REGISTRY_HOST: {host} isn't an address of this machine ({error.strerror or error}); "
        "set one that is, 127.0.0.1 or 0.0.0.0."
    )


@contextmanager
def reserved_port() -> Iterator[int]:
    """A loopback port for a child.

    It is bound, so that the kernel gives it to nobody by chance, also while the child is dead; and never
    listened on, so that the child may (both set SO_REUSEADDR, as servers do).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
