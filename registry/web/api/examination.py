"""`registry doctor` from inside: every part and every upstream, each failure with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from registry.pipeline.operations import Check
from registry.web.health import Health, Probe

REMEDIES = {
    "database": "Look at the data directory's disk; `registry audit verify` says whether the log is whole.",
    "clock": "Set the machine's clock and let the network keep it; `registry clock status` tells what it is.",
    "volume": "Mount the LAN volume that was there before, writable, with space on it.",
    "private store": "Look at the data directory's disk.",
    "policy": "Correct policy.toml; the last good policy is in force meanwhile.",
    "pypiserver": "Look at its log below the data directory; it is restarted by itself.",
    "verdaccio": "Look at its log below the data directory; it is restarted by itself.",
}
UPSTREAM_REMEDY = "Check DNS, HTTPS_PROXY, NO_PROXY and ca_file; what is kept here is served meanwhile."


class Examination:
    """Looks at everything once."""

    def __init__(
        self,
        health: Health,
        others: Mapping[str, Probe],
        facts: Mapping[str, str],
        remarks: Mapping[str, Probe] = MappingProxyType({}),
    ) -> None:
        """`others` are looked at besides what makes the appliance ready: the policy file, the upstreams by
        title. `facts` are settings worth knowing, shown as found; so is what `remarks` say, where they do."""
        self._health = health
        self._others = others
        self._facts = facts
        self._remarks = remarks

    async def __call__(self) -> Sequence[Check]:
        """All checks, settings first."""
        parts, others, remarks = await asyncio.gather(
            self._health.look(), self._health.ask(self._others), self._health.ask(self._remarks)
        )
        settings = [Check(name=name, ok=True, detail=fact) for name, fact in self._facts.items()]
        settings += [Check(name=name, ok=True, detail=said) for name, said in remarks.items() if said]
        return [*settings, *(_check(name, problem) for name, problem in {**parts, **others}.items())]


def _check(name: str, problem: str | None) -> Check:
    if problem is None:
        return Check(name=name, ok=True, detail="ready")
    return Check(name=name, ok=False, detail=problem, remedy=REMEDIES.get(name, UPSTREAM_REMEDY))
