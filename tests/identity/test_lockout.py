from hypothesis import given, settings
from hypothesis import strategies as st

from registry.identity.lockout import Lockout
from registry.identity.recent import Recent
from tests.fakes import FixedClock


def test_the_wait_doubles_up_to_its_limit_and_ends() -> None:
    clock = FixedClock()
    lockout = Lockout(clock, allowance=2, longest=5)
    assert [lockout.failed("k") for _ in range(6)] == [0, 0, 1, 2, 4, 5]
    assert lockout.wait("k") == 5
    clock.advance(seconds=5)
    assert lockout.wait("k") == 0
    assert lockout.failed("k") == 5, "it remembers"
    clock.advance(seconds=5.1)
    assert lockout.failed("k") == 0, "a quiet time forgives"


def test_a_success_forgives() -> None:
    lockout = Lockout(FixedClock(), allowance=1)
    lockout.failed("k")
    lockout.succeeded("k")
    assert lockout.failed("k") == 0
    assert lockout.failed("k") == 1


@given(st.lists(st.integers(0, 50), max_size=60))
@settings(max_examples=30)
def test_memory_is_bounded(keys: list[int]) -> None:
    clock = FixedClock()
    lockout = Lockout(clock, allowance=1, bound=5)
    recent: Recent[int, int] = Recent(clock, 60, bound=5)
    for key in keys:
        lockout.failed(str(key))
        recent.put(key, key)
        assert recent.get(key) == key
    assert len(lockout._keys) <= 5
    assert len(recent._entries) <= 5
