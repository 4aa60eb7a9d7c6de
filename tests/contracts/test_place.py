"""Place: blocking calls, made where they can hold nobody up, their system errors explained."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from registry.errors import NotFound, Unavailable
from registry.model.ports import Place
from tests.contracts.conftest import Ports


@pytest.fixture
def place(ports: Ports) -> Place:
    return ports.blobs.place


def full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def unknown() -> None:
    raise NotFound("There is none.")


async def test_a_call_gives_back_what_it_gives(place: Place) -> None:
    assert await place.run(lambda: 7) == await place.quickly(lambda: 7) == 7


async def test_a_system_error_is_explained_and_still_known(place: Place) -> None:
    for way in (place.run, place.quickly):
        with pytest.raises(Unavailable) as caught:
            await way(full)
        assert isinstance(caught.value.__cause__, OSError)


async def test_an_error_of_ours_comes_through(place: Place) -> None:
    for way in (place.run, place.quickly):
        with pytest.raises(NotFound):
            await way(unknown)


async def test_a_later_call_is_made_and_what_it_raises_is_lost(place: Place) -> None:
    made = threading.Event()
    place.later(unknown)
    place.later(made.set)
    while not made.is_set():
        await place.run(lambda: None)
