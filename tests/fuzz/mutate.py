"""Damage done to real files: bytes, lengths, elements, words; the same number gives the same damage."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
import pydicom
from pydicom.filereader import data_element_generator, read_partial
from pydicom.uid import UID

__all__ = ["dicom", "plain", "words"]

Rng = np.random.Generator
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OW PN SH SL SQ SS ST TM UC UI UL UN UR US UT".split()
VALUES = (
    *(
        b"",
        b"0",
        b"-1",
        b"1e308",
        b"-1e308",
        b"nan",
        b"inf",
        b"1e-300",
        b"99999999999999999999",
        b"a" * 10_000,
    ),
    *(b"../../etc/passwd", b"\x1b[2J", b"<script>", b"=cmd()", b"\xe2\x80\xae", b"\xff\xfe", b"\\" * 200),
    *(b"0\\0\\0\\0\\0\\0", b"1\\0\\0\\0\\1\\0", b"65535", b"4294967295", b"0.0", b"1\\", b"\0\0\0\0"),
)


def plain(data: bytes, rng: Rng) -> bytes:
    """Damage that knows nothing of the format."""
    for _ in range(int(rng.integers(1, 4))):
        data = _PLAIN[int(rng.integers(len(_PLAIN)))](data, rng)
    return data


def _place(data: bytes, rng: Rng) -> int:
    """Anywhere; half of the time near the beginning, where headers are."""
    most = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    return int(rng.integers(max(most, 1)))


def _flip(data: bytes, rng: Rng) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(int(rng.integers(1, 33))):
        changed[_place(data or b"\0", rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(data: bytes, rng: Rng) -> bytes:
    return data[: _place(data, rng)]


def _insert(data: bytes, rng: Rng) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:]


def _remove(data: bytes, rng: Rng) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 200)) :]


def _repeat(data: bytes, rng: Rng) -> bytes:
    at = _place(data, rng)
    part = data[at : at + int(rng.integers(1, 2000))]
    return data[:at] + part * int(rng.integers(2, 4)) + data[at:]


def _number(data: bytes, rng: Rng) -> bytes:
    at, value = _place(data, rng), INTERESTING[int(rng.integers(len(INTERESTING)))]
    form = "<H" if rng.random() < 0.5 else "<I"
    packed = struct.pack(form, value & (0xFFFF if form == "<H" else 0xFFFFFFFF))
    return data[:at] + packed + data[at + len(packed) :]


_PLAIN = (_flip, _flip, _cut, _insert, _remove, _repeat, _number)


def _elements(data: bytes) -> tuple[bytes, list[bytes], bool]:
    """Everything before the data set, its elements as bytes, and whether they have no VR."""
    stream = io.BytesIO(data)
    head = read_partial(stream, stop_when=lambda *_: True)
    syntax = UID(head.file_meta.TransferSyntaxUID)
    stream.seek(0)
    pydicom.filereader.read_preamble(stream, force=True)
    pydicom.filereader._read_file_meta_info(stream)
    start = stream.tell()
    starts: list[int] = []

    def note(*_: object) -> bool:
        return False

    last = start
    for _ in data_element_generator(stream, syntax.is_implicit_VR, syntax.is_little_endian, stop_when=note):
        starts.append(last)
        last = stream.tell()
    ends = [*starts[1:], len(data)]
    return data[:start], [data[a:b] for a, b in zip(starts, ends, strict=True)], syntax.is_implicit_VR


def dicom(data: bytes, other: bytes, rng: Rng) -> bytes:
    """Damage to the elements of a DICOM file, parts of another file among them; at times to its bytes too."""
    if rng.random() < 0.3:
        return plain(data, rng)
    head, parts, implicit = _elements(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(parts)))
        what = int(rng.integers(8))
        if what == 0:
            del parts[at]
        elif what == 1:
            parts.insert(int(rng.integers(len(parts))), parts[at])
        elif what == 2:
            parts.insert(int(rng.integers(len(parts))), parts.pop(at))
        elif what == 3:
            parts[at] = _other_length(parts[at], rng, implicit)
        elif what == 4:
            parts[at] = parts[at][:4] + VRS[int(rng.integers(len(VRS)))] + parts[at][6:]
        elif what in (5, 6):
            parts[at] = _other_value(parts[at], rng, implicit)
        else:
            foreign = _elements(other)[1]
            begin = int(rng.integers(len(foreign)))
            parts[at : at + 1] = foreign[begin : begin + int(rng.integers(1, 6))]
        parts = parts or [b""]
    made = head + b"".join(parts)
    return plain(made, rng) if rng.random() < 0.1 else made


def _length_place(part: bytes, implicit: bool) -> tuple[int, str]:
    if implicit:
        return 4, "<I"
    return (8, "<I") if part[4:6] in (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT", b"UC", b"OD") else (6, "<H")


def _other_length(part: bytes, rng: Rng, implicit: bool) -> bytes:
    at, form = _length_place(part, implicit)
    size = struct.calcsize(form)
    if len(part) < at + size:
        return part
    old = struct.unpack_from(form, part, at)[0]
    choices = (*INTERESTING, old + 1, old - 1, old * 2, old // 2)
    value = choices[int(rng.integers(len(choices)))] & (0xFFFF if form == "<H" else 0xFFFFFFFF)
    return part[:at] + struct.pack(form, value) + part[at + size :]


def _other_value(part: bytes, rng: Rng, implicit: bool) -> bytes:
    """Another value, with the length that it has."""
    at, form = _length_place(part, implicit)
    if rng.random() < 0.5:
        value = VALUES[int(rng.integers(len(VALUES)))]
    else:
        numbers = [INTERESTING[int(rng.integers(len(INTERESTING)))] for _ in range(int(rng.integers(1, 5)))]
        value = b"".join(struct.pack("<H" if rng.random() < 0.5 else "<I", n & 0xFFFF) for n in numbers)
    value += b" " * (len(value) % 2)
    return part[:at] + struct.pack(form, len(value) & 0xFFFF) + value


TOKENS = (
    *("null", "[]", "{}", "true", "-1", "1e400", ".nan", "-.inf", "9" * 400, "0x7fffffffffffffff", "'25 HU'"),
    *(
        "!!python/object:os.system x",
        "!!binary aGk=",
        "&a [*a]",
        "*a",
        "<<: *a",
        "2001-01-01",
        "? [1]",
        "|",
        "- -",
    ),
    *(
        "\t",
        "\x00",
        "é",
        "\u202e",
        '"\\ud800"',
        "{a: {a: {a: }}}",
        "[[[[[[[[",
        "1_000",
        "12:30:45",
        "1e-320",
        "~",
    ),
)


def words(text: str, rng: Rng) -> str:
    """Damage to a YAML text: lines, values, indents, tokens."""
    for _ in range(int(rng.integers(1, 6))):
        lines = text.split("\n")
        at, what = int(rng.integers(len(lines))), int(rng.integers(8))
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(int(rng.integers(len(lines) + 1)), lines[at])
        elif what == 2:
            lines[at] = " " * int(rng.integers(0, 9)) + lines[at].lstrip()
        elif what in (3, 4):
            token = TOKENS[int(rng.integers(len(TOKENS)))]
            lines[at] = re.sub(r":.*", lambda _, token=token: f": {token}", lines[at], count=1)
        elif what == 5:
            place = int(rng.integers(len(lines[at]) + 1))
            lines[at] = lines[at][:place] + TOKENS[int(rng.integers(len(TOKENS)))] + lines[at][place:]
        elif what == 6:
            # Not so large that computing it would be the point.
            lines[at] = re.sub(r"\d+", lambda _: str(int(rng.integers(-3, 100_000))), lines[at])
        else:
            place = int(rng.integers(len(text) + 1))
            lines = (text[:place] + text[place + int(rng.integers(1, 40)) :]).split("\n")
        text = "\n".join(lines) or " "
    return text
