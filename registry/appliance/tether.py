"""Runs a program that dies with the process that started it, even if that one is killed with SIGKILL.

    python -I -S tether.py PARENT PROGRAM [ARGUMENT ...]

A program of its own, because the kernel has to be asked in the child: between fork and exec Python code isn't
safe, and what is asked for outlives the second exec. Imports nothing of ours.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, make sure that the parent is still there, become the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        # It died before the kernel knew.
        sys.exit(1)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the point of it
    except OSError as error:
        sys.exit(f"ERROR: {command[0]} can't be started: {error}")


if __name__ == "__main__":
    main()
