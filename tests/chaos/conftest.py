"""What the tests here share with those of the guarantees: an upstream that lies, and no TLS."""

from __future__ import annotations

from tests.guarantees.conftest import _no_tls, upstream

__all__ = ["_no_tls", "upstream"]
