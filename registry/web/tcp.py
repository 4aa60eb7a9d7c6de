"""What the kernel knows of a connection's other end, where it tells (Linux)."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
from typing import cast

_TIOCOUTQ = 0x5411
_BYTES_ACKED = 120
"""Where tcpi_bytes_acked is in `struct tcp_info`."""


def waits(transport: asyncio.Transport) -> bool:
    """Whether bytes lie in our buffer or the kernel's that the client hasn't taken."""
    if transport.get_write_buffer_size():
        return True
    connection = _socket(transport)
    if connection is None:
        return False
    try:
        queued = fcntl.ioctl(connection.fileno(), _TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return False
    return bool(struct.unpack("i", queued)[0])


def acknowledged(transport: asyncio.Transport) -> int:
    """Bytes that the client's machine has said it has; 0 where nobody knows."""
    connection = _socket(transport)
    if connection is None:
        return 0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
    except OSError:
        return 0
    return int(struct.unpack_from("Q", info, _BYTES_ACKED)[0]) if len(info) >= _BYTES_ACKED + 8 else 0


def _socket(transport: asyncio.Transport) -> socket.socket | None:
    if sys.platform != "linux":
        return None
    found = transport.get_extra_info("socket")
    return cast("socket.socket", found) if found is not None and found.fileno() >= 0 else None
