"""N1 to N19: what npm clients send, and what they need back, through the whole gateway."""

from __future__ import annotations

import pytest

from tests.protocols.npm.world import Appliance
from tests.upstream import make_tarball

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_n1_a_scoped_name_is_the_same_in_every_spelling(gateway: Appliance) -> None:
    gateway.upstream.add(make_tarball("@sc/one", "1.0.0"))
    answers = [await gateway.npm(path) for path in ("@sc/one", "@sc%2fone", "@sc%2Fone")]
    assert [a.status for a in answers] == [200] * 3, answers
    assert len({a.body for a in answers}) == 1
