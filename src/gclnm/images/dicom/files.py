"""Reading one DICOM file, and looking things up in it: at the top, in shared and per-frame groups."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gclnm.errors import ReadError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "first_item",
    "frame_count",
    "group_item",
    "number",
    "private",
    "quiet",
    "read_dataset",
    "text",
    "truncated",
    "words",
]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's remarks about odd headers from the user: they are not about this library's work."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def read_dataset(path: str) -> Dataset:
    """Read a whole DICOM file, pixel data included; without preamble and meta information as well.

    Raises
    ------
    ReadError
        When the file is absent, is not DICOM or ends early.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import UID

    with quiet():
        try:
            try:
                dataset = dcmread(path)
            except InvalidDicomError:
                dataset = dcmread(path, force=True)
                if "SOPClassUID" not in dataset:
                    raise ReadError("the file is not DICOM", where=path, code="not-dicom") from None
        except ReadError:
            raise
        except FileNotFoundError as error:
            raise _absent(path) from error
        except Exception as error:
            # pydicom's own word for a data set that stops: an OSError that no system call made.
            if isinstance(error, EOFError) or (isinstance(error, OSError) and error.errno is None):
                raise truncated(path) from error
            raise ReadError("the file cannot be read as DICOM", where=path, fix=_copy_again) from error
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = UID(_guessed_syntax(dataset))
        if not UID(text(dataset.file_meta, "TransferSyntaxUID")).is_transfer_syntax:
            raise ReadError("the header names no known transfer syntax", where=path, fix=_copy_again)
    return dataset


_copy_again = "Copy or export it again."


def truncated(path: str, have: int | None = None, want: int | None = None) -> ReadError:
    """The error for a file whose pixel data end too early."""
    size = f": {have} of {want} bytes" if want else ""
    return ReadError(f"the file ends too early{size}", where=path, fix=_copy_again, code="truncated")


def _absent(path: str) -> ReadError:
    return ReadError("the file is not there", where=path, fix="Scan the folder again.", code="file-missing")


def _guessed_syntax(dataset: Dataset) -> str:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    if implicit:
        return str(ImplicitVRLittleEndian)
    return str(ExplicitVRLittleEndian if little else ExplicitVRBigEndian)


def text(dataset: Dataset | None, keyword: str) -> str:
    """The value of an element as stripped text; several values joined by ``\\``; empty when absent."""
    value = _value(dataset, keyword)
    if value is None:
        return ""
    if isinstance(value, str | bytes | int | float):
        return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).strip(" \0")
    try:
        return "\\".join(str(part).strip(" \0") for part in value)
    except TypeError:
        return str(value).strip(" \0")


def words(dataset: Dataset | None, keyword: str) -> tuple[str, ...]:
    """The values of a multi-valued element in upper case."""
    found = text(dataset, keyword).upper()
    return tuple(part.strip() for part in found.split("\\")) if found else ()


def number(dataset: Dataset | None, keyword: str) -> float | None:
    """The first value of an element as a float; ``None`` when it is absent, empty or no number."""
    first = text(dataset, keyword).split("\\")[0]
    try:
        return float(first)
    except ValueError:
        return None


def _value(dataset: Dataset | None, keyword: str) -> Any:
    if dataset is None:
        return None
    with quiet():
        try:
            return dataset.get(keyword)
        except Exception:  # an element that cannot be decoded is as good as absent
            return None


def private(dataset: Dataset, group: int, creator: str, element: int) -> str:
    """The value of a private element as stripped text; empty when it is absent."""
    with quiet():
        try:
            value = dataset.private_block(group, creator)[element].value
        except Exception:  # absent, or as damaged as absent
            return ""
    plain = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return plain.strip(" \0")


def frame_count(dataset: Dataset) -> int:
    """Number of frames; 1 for single-frame objects."""
    return max(int(number(dataset, "NumberOfFrames") or 1), 1)


def first_item(dataset: Dataset | None, keyword: str) -> Dataset | None:
    """First item of a sequence, or ``None``."""
    sequence = _value(dataset, keyword)
    return sequence[0] if sequence else None


def group_item(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    """Item of a functional group for one frame: its own, else the shared one, else the top level's."""
    frames = _value(dataset, "PerFrameFunctionalGroupsSequence") or ()
    own = first_item(frames[frame], keyword) if frame < len(frames) else None
    if own is not None:
        return own
    shared = first_item(first_item(dataset, "SharedFunctionalGroupsSequence"), keyword)
    return shared if shared is not None else first_item(dataset, keyword)
