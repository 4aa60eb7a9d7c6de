"""Two things of the tree itself: what no file may spell, and that the ecosystems look alike.

No tracked file names the host of a public registry (`inherit` finds it) or a path of somebody's machine.
The patterns are put together from pieces, so that this file doesn't spell them either.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ECOSYSTEMS = ROOT / "registry" / "ecosystems"
ALONE = {
    "archives.py": "an npm tarball is one kind of archive, and its contents.py reads it alone",
    "gaps.py": "an npm packument leaves nothing out that the registry says elsewhere",
}
"""Modules that one ecosystem may have alone, each with its reason."""

HOSTS = ("pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.", "yarn" + r"pkg\.com", "deb" + r"ian\.org")
MACHINE = (r"/(?:work|root|Users|home)/" + r"[\w.]", "/t" + r"mp/[\w.]")
FORBIDDEN = re.compile(rf"(?i:{'|'.join(HOSTS)})|(?<![\w$}}/.~-])(?:{'|'.join(MACHINE)})")


def spelt() -> list[str]:
    """Every line of a tracked file that names a public registry's host or a machine's own path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        try:
            text = (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        found += [
            f"{name}:{number}: names {match[0]!r}"
            for number, line in enumerate(text.splitlines(), 1)
            if (match := FORBIDDEN.search(line))
        ]
    return found


def asymmetries() -> list[str]:
    """Every module that one ecosystem has and another lacks."""
    modules = {
        folder.name: {path.name for path in folder.glob("*.py")} - ALONE.keys()
        for folder in sorted(ECOSYSTEMS.glob("*/"))
        if (folder / "__init__.py").exists()
    }
    everything = set().union(*modules.values())
    return [
        f"registry/ecosystems/{name} lacks {module}, which another ecosystem has"
        for name, files in modules.items()
        for module in sorted(everything - files)
    ]


if __name__ == "__main__":
    problems = spelt() + asymmetries()
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)
