"""Is the process alive, is every part ready, and what did it do so far."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

import msgspec
from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from registry.errors import Forbidden, Unauthenticated
from registry.web.callers import Callers

Probe = Callable[[], Awaitable[str | None]]
"""Looks at one part: None when it is fine, else a sentence."""

COUNTED_AFTER = 0.1
"""Seconds after which a request counts, where this process is the only one. (What another one would tell
meanwhile would lack it.)"""

PROBE_SECONDS = 1.0
"""After this long a part that doesn't answer isn't ready."""


class Metrics:
    """Counters for Prometheus."""

    def __init__(self) -> None:
        # Where several processes count, each does so in files, and whoever is asked adds them up.
        together = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        self.registry = CollectorRegistry()
        self._shown = CollectorRegistry() if together else self.registry
        if together:
            MultiProcessCollector(self._shown)  # type: ignore[no-untyped-call]
        self._requests = Counter(
            "registry_requests",
            "Requests of packaging clients.",
            ("ecosystem", "method", "status", "cache"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "registry_request_seconds",
            "Time from request to the end of the answer.",
            ("ecosystem",),
            buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
            registry=self.registry,
        )
        self._taken: dict[tuple[str, str, int, str], list[float]] = {}
        """By what they are counted as: seconds of requests that aren't counted yet. Many at once are counted
        in a fraction of the time: what does it is in the processor's cache then."""
        self._is_due = False
        self._after = 0.0 if together else COUNTED_AFTER
        self._offline = Gauge(
            "registry_offline",
            "1 while no upstream is asked, on purpose.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self._ready = Gauge(
            "registry_part_ready",
            "1 for each part that is ready.",
            ("part",),
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )

    def count(self, ecosystem: str, method: str, status: int, cache: str, began: float) -> None:
        """One request that was answered; `cache` is its X-Cache, `began` a perf_counter() time."""
        method = method if method in {"GET", "HEAD", "PUT", "POST", "DELETE"} else "other"
        seconds = perf_counter() - began
        self._taken.setdefault((ecosystem, method, status, cache), []).append(seconds)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(self._after, self.settle)

    def settle(self) -> None:
        """Count what was taken down."""
        self._is_due = False
        taken, self._taken = self._taken, {}
        for (ecosystem, method, status, cache), requests in taken.items():
            self._requests.labels(ecosystem, method, str(status), cache).inc(len(requests))
            observe = self._seconds.labels(ecosystem).observe
            for seconds in requests:
                observe(seconds)

    def exposition(self) -> bytes:
        """What Prometheus reads, of all processes, as far as it was settled. Blocks."""
        return generate_latest(self._shown)

    def offline(self, *, on: bool) -> None:
        """Whether upstreams are asked."""
        self._offline.set(1 if on else 0)

    def ready(self, parts: Mapping[str, str | None]) -> None:
        """What the last look at the parts found."""
        for part, problem in parts.items():
            self._ready.labels(part).set(0 if problem else 1)


class Health:
    """The pages that machines look at."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        metrics: Metrics,
        callers: Callers,
        offline: Callable[[], bool] = lambda: False,
    ) -> None:
        """`offline` says whether upstreams are left unasked on purpose, which is told and is no fault."""
        self._offline = offline
        self._probes = probes
        self._metrics = metrics
        self._callers = callers

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/-/live", self.live),
            web.get("/-/ready", self.ready),
            web.get("/metrics", self.metrics),
        ]

    async def live(self, _: web.Request) -> web.Response:
        """The process answers."""
        return web.json_response({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        """200 when every part is ready, else 503 naming those that aren't."""
        parts = await self.look()
        ready = not any(parts.values())
        body = {
            "ready": ready,
            "offline": self._offline(),
            "parts": {
                part: {"ready": problem is None, "problem": problem} for part, problem in parts.items()
            },
        }
        return web.Response(
            status=200 if ready else 503,
            body=msgspec.json.encode(body),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text; for admins, since it tells what a team installs."""
        client = await self._callers(request)
        if client.user is None:
            raise Unauthenticated("Metrics are for admins; send the admin token as a bearer token.")
        if not client.admin:
            raise Forbidden("Metrics are for admins; use an admin's token.")
        await self.look()
        self._metrics.settle()
        body = await asyncio.to_thread(self._metrics.exposition)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    async def look(self) -> dict[str, str | None]:
        """Every part and what is wrong with it, None for nothing."""
        parts = await self.ask(self._probes)
        self._metrics.ready(parts)
        self._metrics.offline(on=self._offline())
        return parts

    async def ask(self, probes: Mapping[str, Probe]) -> dict[str, str | None]:
        """Run probes side by side, each for a few seconds at most."""
        found = await asyncio.gather(*(self._probe(probe) for probe in probes.values()))
        return dict(zip(probes, found, strict=True))

    async def _probe(self, probe: Probe) -> str | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await probe()
        except TimeoutError:
            return f"It gave no answer within {PROBE_SECONDS:.0f} second."
        except Exception as error:  # noqa: BLE001  whatever a part throws, it isn't ready
            return f"It failed: {error}"
