"""Each container is killed and restarted under load: nothing is lost, nothing wrong is served, the service is back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
import requests

from tests.compose.appliance import SERVICES, Appliance
from tests.compose.padding import large_wheel
from tests.e2e.house import User
from tests.upstream import LyingUpstream, Tarball, make_tarball, make_wheel

KILL = "kill -9 $(cat /proc/1/task/1/children)"
"""From inside: `docker kill` would count as a stop that somebody wanted."""


@dataclass
class Load:
    """Clients that install and publish all the time."""

    appliance: Appliance
    user: User
    prefix: str
    public: dict[str, bytes]
    """Project → the bytes of its one wheel, version 1.0."""
    accepted: dict[str, bytes] = field(default_factory=dict)
    """File name → bytes of a wheel that the appliance said it has."""
    taken: list[Tarball] = field(default_factory=list)
    """npm packages that it said it has."""
    wrong: list[str] = field(default_factory=list)
    served: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()
        threads = [threading.Thread(target=self._install, args=(over,)) for _ in range(2)]
        threads += [
            threading.Thread(target=publish, args=(over,)) for publish in (self._publish, self._publish_npm)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(60)

    def _install(self, over: threading.Event) -> None:
        while not over.is_set():
            for name, data in self.public.items():
                filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
                try:
                    got = self.appliance.get(f"/pypi/files/{name}/{filename}")
                except requests.RequestException:
                    continue
                if got.status_code == 200:
                    self.served += 1
                    if got.content != data:
                        self.wrong.append(f"{filename}: {hashlib.sha256(got.content).hexdigest()}")
                elif got.status_code < 500:
                    self.wrong.append(f"{filename}: {got.status_code} {got.reason}")

    def _publish(self, over: threading.Event) -> None:
        number = 0
        while not over.is_set():
            number += 1
            wheel = make_wheel(f"{self.prefix}-{number}", "1.0")
            if self.appliance.upload(self.user, wheel) == 200:
                self.accepted[wheel.filename] = wheel.data

    def _publish_npm(self, over: threading.Event) -> None:
        """Versions of one package, each tried again until it is taken: none may get stuck half way."""
        number = 0
        while not over.is_set():
            tarball = make_tarball(f"@zyx/{self.prefix}", f"1.0.{number}", padding=100_000)
            if self.appliance.publish(self.user, tarball) == 201:
                self.taken.append(tarball)
                number += 1

    @property
    def progress(self) -> tuple[int, int, int]:
        """Installed, published to one side and to the other."""
        return self.served, len(self.accepted), len(self.taken)

    def gets_on(self) -> Callable[[], bool]:
        """Whether all three have gone on from here."""
        before = self.progress
        return lambda: all(now > then for now, then in zip(self.progress, before, strict=True))


@pytest.fixture(scope="module")
def public(appliance: Appliance, upstream: LyingUpstream) -> dict[str, bytes]:
    wheels = {f"zyx-crash-{n}": make_wheel(f"zyx-crash-{n}", "1.0") for n in range(4)}
    upstream.add(*wheels.values())
    for name, wheel in wheels.items():
        assert appliance.file(name, wheel.filename) == wheel.data
    return {name: wheel.data for name, wheel in wheels.items()}


def whole(appliance: Appliance, load: Load) -> None:
    """Everything that was promised is there, and the log tells all of it."""
    assert load.wrong == []
    assert all(load.progress)
    for filename, data in load.accepted.items():
        assert appliance.file(filename.split("-")[0].replace("_", "-"), filename) == data
    for tarball in load.taken:
        assert appliance.tarball(tarball) == tarball.data
    appliance.registry("audit", "verify")
    assert all(check["ok"] for check in appliance.answer("doctor")["checks"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_part_comes_back_and_nothing_is_lost(
    appliance: Appliance, alice: User, public: dict[str, bytes], service: str
) -> None:
    load = Load(appliance, alice, f"zyx-killed-{service}", public)
    with load.running():
        appliance.wait_until(load.gets_on(), "under load")
        before = appliance.container(service).attrs["RestartCount"]
        appliance.compose("exec", "-T", "--detach", service, "sh", "-c", KILL)
        appliance.wait_until(
            lambda: appliance.container(service).attrs["RestartCount"] > before, f"{service} restarted"
        )
        appliance.wait_until_healthy()
        appliance.wait_until(load.gets_on(), "back under load")
    whole(appliance, load)


@pytest.mark.parametrize("service", SERVICES)
def test_a_restarted_part_comes_back_and_nothing_is_lost(
    appliance: Appliance, alice: User, public: dict[str, bytes], service: str
) -> None:
    load = Load(appliance, alice, f"zyx-restarted-{service}", public)
    with load.running():
        appliance.wait_until(load.gets_on(), "under load")
        appliance.compose("restart", service)
        appliance.wait_until_healthy()
        appliance.wait_until(load.gets_on(), "back under load")
    whole(appliance, load)


def test_public_packages_are_served_while_the_back_ends_are_down(
    appliance: Appliance, public: dict[str, bytes]
) -> None:
    appliance.compose("stop", "pypiserver", "verdaccio")
    name, data = next(iter(public.items()))
    assert appliance.file(name, f"{name.replace('-', '_')}-1.0-py3-none-any.whl") == data
    ready = appliance.readiness()
    assert {part for part, state in ready["parts"].items() if not state["ready"]} == {
        "pypiserver",
        "verdaccio",
    }
    appliance.compose("start", "pypiserver", "verdaccio")
    appliance.wait_until_healthy()


def test_a_stop_lets_a_download_finish(appliance: Appliance, upstream: LyingUpstream) -> None:
    big = large_wheel("zyx-big", "1.0", 48 * 1024 * 1024)
    upstream.add(big)
    appliance.file("zyx-big", big.filename)
    got = requests.get(f"{appliance.url}/pypi/files/zyx-big/{big.filename}", stream=True, timeout=60)
    chunks = got.iter_content(1024 * 1024)
    received = len(next(chunks))
    stopping = threading.Thread(target=appliance.compose, args=("stop", "gateway"))
    stopping.start()
    appliance.wait_until(lambda: not listens(appliance), "stopping")
    received += sum(len(chunk) for chunk in chunks)
    stopping.join(60)
    assert received == len(big.data)
    assert appliance.container("gateway").attrs["State"]["ExitCode"] == 0
    appliance.compose("start", "gateway")
    appliance.wait_until_healthy()


def listens(appliance: Appliance) -> bool:
    try:
        requests.get(f"{appliance.url}/-/live", timeout=2)
    except requests.RequestException:
        return False
    return True
