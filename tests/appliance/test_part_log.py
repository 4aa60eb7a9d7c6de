from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from registry.appliance import part_log
from registry.appliance.part_log import SHOWN_A_MINUTE, PartLog


class Terminal:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now = 0.0

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def log_of(folder: Path, terminal: Terminal) -> PartLog:
    return PartLog(folder, "store", terminal.say, lambda: terminal.now)


def test_errors_are_shown_and_the_rest_is_kept(tmp_path: Path, terminal: Terminal) -> None:
    log = log_of(tmp_path, terminal)
    for line in (
        "all is well",
        "ERROR disk",
        '{"level":50,"msg":"x"}',
        '{"level":40,"msg":"x"}',
        "ValueError: no",
    ):
        log.write(line)
    log.close()
    assert terminal.lines == ["store: ERROR disk", 'store: {"level":50,"msg":"x"}', "store: ValueError: no"]
    assert len(log.path.read_text().splitlines()) == 5


def test_a_flood_of_errors_is_shown_in_part(tmp_path: Path, terminal: Terminal) -> None:
    log = log_of(tmp_path, terminal)
    for _ in range(100):
        log.write("ERROR")
    assert len(terminal.lines) == SHOWN_A_MINUTE
    assert "more in" in terminal.lines[-1]
    terminal.now = 61.0
    log.write("ERROR")
    log.close()
    assert len(terminal.lines) == SHOWN_A_MINUTE + 1


def test_what_would_steer_a_terminal_is_not_passed_on(tmp_path: Path, terminal: Terminal) -> None:
    log = log_of(tmp_path, terminal)
    log.write("ERROR \x1b[2J\r gone")
    log.close()
    assert terminal.lines == ["store: ERROR  [2J  gone"]


def test_a_big_file_makes_room_for_a_new_one(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_log, "FILE_BYTES", 1000)
    log = log_of(tmp_path, terminal)
    for number in range(40):
        log.write(f"line {number} {'x' * 40}")
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"store.log", "store.log.1"}
    assert all(path.stat().st_size <= 1100 for path in tmp_path.iterdir())


async def test_lines_are_cut_where_the_stream_says_and_where_they_are_too_long(
    tmp_path: Path, terminal: Terminal
) -> None:
    log = log_of(tmp_path, terminal)
    stream = asyncio.StreamReader()
    stream.feed_data(b"one\ntwo\n" + b"y" * 200_000 + b"\nlast")
    stream.feed_eof()
    await log.drain(stream)
    log.close()
    text = log.path.read_text()
    assert [line.partition("store: ")[2] for line in text.splitlines()][:2] == ["one", "two"]
    assert text.endswith("store: last\n")
    assert text.count("y") == 200_000
