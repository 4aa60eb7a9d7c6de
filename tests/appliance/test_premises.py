from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.appliance.premises import PRIVATE_FOLDERS, occupied, reserved_port
from registry.errors import ConfigurationError

HOST = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


def test_the_layout_is_made_and_private(tmp_path: Path, port: int) -> None:
    data = tmp_path / "deep" / "data"
    with occupied(data, HOST, port) as premises:
        assert premises.listener.getsockname() == (HOST, port)
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in (data, *(data / name for name in PRIVATE_FOLDERS))
    }
    assert set(modes.values()) == {0o700}
    assert (data / "keys" / "admin-token").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_was_open_to_all_is_closed(tmp_path: Path, port: int) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o755)
    with occupied(tmp_path, HOST, port):
        assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_second_start_is_refused_and_names_the_first(tmp_path: Path, port: int) -> None:
    """F26."""
    with (
        occupied(tmp_path, HOST, port),
        pytest.raises(ConfigurationError) as caught,
        occupied(tmp_path, HOST, port),
    ):
        pass
    (problem,) = caught.value.problems
    assert f"process {os.getpid()} on {HOST}:{port}" in problem
    assert problem.startswith("REGISTRY_DATA:")


def test_after_the_first_ended_the_next_may_start(tmp_path: Path, port: int) -> None:
    for _ in range(2):
        with occupied(tmp_path, HOST, port):
            pass


def test_a_port_in_use_and_a_directory_that_cannot_be_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        with (
            pytest.raises(ConfigurationError) as caught,
            occupied(tmp_path / "file" / "data", HOST, other.getsockname()[1]),
        ):
            pass
    directory, port = caught.value.problems
    assert directory.startswith("REGISTRY_DATA:")
    assert "in use by another program" in port


def test_an_address_of_another_machine_is_a_mistake(tmp_path: Path, port: int) -> None:
    with pytest.raises(ConfigurationError) as caught, occupied(tmp_path, "192.0.2.1", port):
        pass
    assert caught.value.problems[0].startswith("REGISTRY_HOST:")


def test_a_reserved_port_can_be_listened_on_by_who_reuses_addresses(port: int) -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HOST, port))
        server.listen()
        with socket.create_connection((HOST, port)):
            pass
