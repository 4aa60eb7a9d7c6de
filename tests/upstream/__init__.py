"""A misbehaving upstream on loopback: a Python simple index and an npm registry with a switch for every fault.

async with LyingUpstream() as upstream:            # in the test's own loop
with LyingUpstream().in_a_thread() as upstream:    # for real clients

    upstream.add(make_wheel("demo", "1.0"), make_tarball("@acme/tool", "1.0.0"))
    upstream.lie(truncated, "/files/*", times=1)
    upstream.url_pypi, upstream.url_npm, upstream.requests, upstream.heal()
"""

from tests.upstream.documents import Shape
from tests.upstream.faults import Answer, Fault
from tests.upstream.packages import Distribution, Tarball, make_sdist, make_tarball, make_wheel
from tests.upstream.server import LyingUpstream, Seen

__all__ = [
    "Answer",
    "Distribution",
    "Fault",
    "LyingUpstream",
    "Seen",
    "Shape",
    "Tarball",
    "make_sdist",
    "make_tarball",
    "make_wheel",
]
