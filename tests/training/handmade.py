"""Image files written byte by byte, whose headers may claim anything."""

from __future__ import annotations

import struct
import zlib


def png(
    width: int, height: int, depth: int = 8, colour: int = 0, extra: bytes = b"", data: bytes = b""
) -> bytes:
    """A PNG of any size, depth and colour type; `data`: rows, each after a byte 0; `extra`:
    other chunks."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [
        chunk(b"IHDR", header),
        extra,
        chunk(b"IDAT", zlib.compress(data)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
