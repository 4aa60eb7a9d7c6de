"""docs/verify_log.py, run as a stranger would: its verdict has to be ours."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from registry.model.checkpoints import Checkpoint, Link
from registry.model.events import Kind
from registry.provenance import chain
from registry.provenance.checkpoints import LogKey, new_key
from registry.provenance.export import checkpoint_line, row_line, verify
from tests.specimens import NOW, event

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_log.py"
KEY = LogKey(new_key())
STRANGER = LogKey(new_key())
ODD = ['pip "26"', "ünïcode \u2028 \x85", "two\nlines\r\n", ',"event":{', "\x00\x1f", "", "\ud800"]


def written(rows: int = 7) -> list[bytes]:
    """An export with a checkpoint in the middle and one at the end, out of events as odd as they come."""
    lines: list[bytes] = []
    previous = chain.GENESIS
    for seq in range(1, rows + 1):
        said = event(Kind.DELIVERY, agent=ODD[seq % len(ODD)], detail={"n": seq, "share": 1e22, "deep": None})
        body = chain.canonical(said)
        link = Link(seq, previous, chain.row_hash(previous, body), body)
        lines.append(row_line(link))
        previous = link.hash
        if seq in {3, rows}:
            lines.append(checkpoint_line(KEY.checkpoint(seq, link.hash, NOW)))
    return lines


LINES = written()
OTHERS = [line.replace(b"ada", b"eve") for line in LINES]


def hash_of(line: bytes) -> str:
    return line.partition(b'"hash":"')[2][:64].decode()


def checkpoint(row: int, key: LogKey = KEY, kind: str = "head") -> Checkpoint:
    line = next(line for line in LINES if line.startswith(b'{"seq":%d,' % row))
    return key.checkpoint(row, hash_of(line), NOW, kind)  # type: ignore[arg-type]


def verdict(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    held: list[Checkpoint],
    signer: LogKey = KEY,
) -> str | None:
    """What the script complains about; None for nothing."""
    export, key = folder / "export.jsonl", folder / "key.pem"
    export.write_bytes(b"".join(line + b"\n" for line in lines))
    key.write_text(signer.public.pem)
    points = [folder / f"{number}.json" for number in range(len(held))]
    for path, point in zip(points, held, strict=True):
        path.write_bytes(checkpoint_line(point) + b"\n")
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(export), str(key), *map(str, points)])
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    except SystemExit as end:
        return str(end.code)
    return None


@pytest.mark.parametrize("held", [[], [checkpoint(3)], [checkpoint(2), checkpoint(7)]])
def test_a_whole_export_is_whole(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    held: list[Checkpoint],
) -> None:
    assert verdict(tmp_path, monkeypatch, LINES, held) is None
    assert capsys.readouterr().out.startswith("whole up to row 7, ")
    assert verify(LINES, KEY.public, held)[1] is None


def test_a_shortened_export_begins_with_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = [checkpoint_line(checkpoint(3, kind="base")), *LINES[4:]]
    assert verdict(tmp_path, monkeypatch, rest, [checkpoint(7)]) is None
    assert verify(rest, KEY.public, [checkpoint(7)])[1] is None


Change = Callable[[list[bytes]], list[bytes]]
TAMPERINGS: dict[str, Change] = {
    "an edit": lambda lines: [lines[0], lines[1].replace(b"ada", b"eve"), *lines[2:]],
    "a blank": lambda lines: [lines[0].replace(b'"n":1', b'"n": 1'), *lines[1:]],
    "a deletion": lambda lines: [*lines[:1], *lines[2:]],
    "the first deleted": lambda lines: lines[1:],
    "a swap": lambda lines: [lines[1], lines[0], *lines[2:]],
    "an insertion": lambda lines: [lines[0], *lines],
    "the end cut off": lambda lines: lines[:5],
    "a checkpoint of another row": lambda lines: [lines[0], lines[3], *lines[1:3], *lines[4:]],
    "a checkpoint as base": lambda lines: lines[3:],
    "another log": lambda _: rehashed(OTHERS),
}


def rehashed(lines: list[bytes]) -> list[bytes]:
    """Computed anew by somebody without the key, who leaves the checkpoints out."""
    found: list[bytes] = []
    previous = chain.GENESIS
    for line in lines:
        _, is_row, rest = line.partition(b',"event":')
        if is_row:
            link = Link(len(found) + 1, previous, chain.row_hash(previous, rest[:-1]), rest[:-1])
            found.append(row_line(link))
            previous = link.hash
    return found


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_tampering_is_found_by_the_script_and_by_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lines, held = TAMPERINGS[name](LINES), [checkpoint(7)]
    assert str(verdict(tmp_path, monkeypatch, lines, held)).startswith("WRONG: ")
    assert verify(lines, KEY.public, held)[1] is not None


def test_a_checkpoint_of_another_key_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [checkpoint(7, STRANGER)]
    assert str(verdict(tmp_path, monkeypatch, LINES, held)).startswith("WRONG: ")
    assert verify(LINES, KEY.public, held)[1] is not None
    forged = [*LINES[:3], checkpoint_line(checkpoint(3, STRANGER)), *LINES[4:]]
    assert str(verdict(tmp_path, monkeypatch, forged, [])).startswith("WRONG: ")
    assert verify(forged, KEY.public)[1] is not None


def test_the_script_needs_none_of_our_code() -> None:
    text = SCRIPT.read_text("utf-8")
    assert "registry." not in text.replace("registry's", "").partition("from __future__")[2]
    code = [line for line in text.partition('"""\n\n')[2].splitlines() if line.strip()]
    assert len(code) <= 75


NEXT = LogKey(KEY.replaced())


def handed_over(*keys: LogKey) -> list[bytes]:
    """The log, with checkpoints of these keys about rows 2, 4, ... in turn."""
    rows = [line for line in LINES if b',"event":' in line]
    points = {2 * number: checkpoint_line(checkpoint(2 * number, key)) for number, key in enumerate(keys, 1)}
    return [line for seq, row in enumerate(rows, 1) for line in (row, points.get(seq)) if line]


def test_what_the_log_s_former_keys_signed_stays_verifiable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, held = handed_over(KEY, NEXT, NEXT), [checkpoint(1), checkpoint(7, NEXT)]
    assert verify(lines, NEXT.public, held)[1] is None
    assert verdict(tmp_path, monkeypatch, lines, held, NEXT) is None
    last = LogKey(NEXT.replaced())
    assert verify(handed_over(KEY, NEXT, last), last.public)[1] is None
    assert verify(lines, KEY.public)[1] is not None, "who has the first key alone needs the second one"


@pytest.mark.parametrize("keys", [(KEY, NEXT, KEY), (NEXT, KEY), (KEY, STRANGER)])
def test_a_key_that_was_replaced_makes_no_more_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: tuple[LogKey, ...]
) -> None:
    lines = handed_over(*keys)
    assert verify(lines, NEXT.public)[1] is not None
    assert str(verdict(tmp_path, monkeypatch, lines, [], NEXT)).startswith("WRONG: ")
