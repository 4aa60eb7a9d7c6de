from __future__ import annotations

from registry.appliance.part import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(first=0.5, longest=30.0)
    assert [backoff.pause(0.1) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_part_that_was_healthy_starts_over_with_the_first_pause() -> None:
    backoff = Backoff(first=0.5, healthy=60.0)
    assert [backoff.pause(lifetime) for lifetime in (1, 1, 1, 60, 1)] == [0.5, 1, 2, 0.5, 1]
