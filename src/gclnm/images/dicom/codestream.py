"""What a compressed frame itself says of its size: JPEG, JPEG-LS and JPEG 2000."""

from __future__ import annotations

import struct

__all__ = ["frame_size"]

_JPEG2000 = b"\xff\x4f\xff\x51"
_JPEG = b"\xff\xd8"
# Start of frame: every process but the markers for tables (C4, C8, CC); F7 is JPEG-LS.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7})


def frame_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a compressed frame; None where it does not say.

    Sources: ISO/IEC 15444-1 A.5.1, ISO/IEC 10918-1 B.2.2, ISO/IEC 14495-1 C.2.2.

    Examples
    --------
    >>> siz = struct.pack(">HH8I", 38, 0, 512, 256, 0, 0, 512, 256, 0, 0)
    >>> frame_size(bytes.fromhex("ff4fff51") + siz)
    (256, 512)
    """
    if data[:4] == _JPEG2000 and len(data) >= 24:
        x, y, left, top = struct.unpack_from(">4I", data, 8)
        return y - top, x - left
    return _jpeg_size(data) if data[:2] == _JPEG else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            rows, columns = struct.unpack_from(">HH", data, at + 5)
            return rows, columns
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
