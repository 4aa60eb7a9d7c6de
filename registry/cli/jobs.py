"""Watching a job of the appliance from the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from registry.cli.api import Api
from registry.cli.exits import Negative

LOOK = 0.2
"""Seconds between two looks."""


class Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, total: int | None, title: str) -> None:
        self._total = total
        self._title = title
        self._base = 0
        self._shown = ""

    def show(self, done: int, total: int | None) -> None:
        """`done` of the job that is watched now."""
        whole = self._total or total
        text = f"{self._title}: {self._base + done}" + (f" of {whole}" if whole else "")
        if sys.stderr.isatty() and text != self._shown:
            click.echo(f"\r{text} ", nl=False, err=True)
            self._shown = text

    def next(self, done: int) -> None:
        """The job is done; another one goes on."""
        self._base += done

    def clear(self) -> None:
        """Nothing more to show."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@contextmanager
def progress(total: int | None, title: str) -> Iterator[Bar]:
    """A bar for some jobs; `total` where it is known before."""
    bar = Bar(total, title)
    try:
        yield bar
    finally:
        bar.clear()


def finish(api: Api, job: dict[str, Any], bar: Bar) -> dict[str, Any]:
    """Watch a job to its end; Ctrl-C calls it off. Raises Negative when it failed or was called off."""
    pause = LOOK / 16
    try:
        while job["state"] == "running":
            bar.show(job["done"], job["total"])
            time.sleep(pause)
            pause = min(LOOK, 2 * pause)
            job = api.get(f"/jobs/{job['id']}")
    except KeyboardInterrupt:
        api.delete(f"/jobs/{job['id']}")
        raise
    if job["state"] != "done":
        raise Negative(job["error"] or "It was called off.")
    bar.next(job["done"])
    return job
