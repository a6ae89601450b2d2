"""Opening one DICOM file: whether it is one, its data set, and the errors for what it is instead."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from gclnm.errors import GclnmError, ReadError
from gclnm.images.dicom.deflated import check_inflated
from gclnm.images.dicom.elements import text

__all__ = ["looks_like_dicom", "quiet", "read_dataset", "readable", "truncated"]

COPY_AGAIN = "Export or copy the file again."


def looks_like_dicom(start: bytes) -> bool:
    """Whether the first 132 bytes of a file begin a DICOM data set, with or without its preamble.

    Examples
    --------
    >>> looks_like_dicom(bytes(128) + b"DICM"), looks_like_dicom(b"patient,age")
    (True, False)
    """
    if start[128:132] == b"DICM":
        return True
    # Without preamble: a data set in little endian whose first group is 2 or 8.
    if len(start) < 8 or start[:2] not in (b"\x02\x00", b"\x08\x00") or start[3] != 0:
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return explicit or int.from_bytes(start[4:8], "little") < 1024


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's remarks about odd headers from the user: they are not about this library's work."""
    logger = logging.getLogger("pydicom")
    # Setting its level instead would empty the caches of all loggers, once a file.
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def truncated(path: str, what: str = "the file ends too early") -> ReadError:
    """The error for a file that was cut."""
    return ReadError(what, where=path, fix=COPY_AGAIN, code="truncated")


@contextmanager
def readable(path: str) -> Iterator[None]:
    """What Python and pydicom raise on a file, as errors of this library; pydicom's remarks are silenced.

    Raises
    ------
    ReadError
        Code ``file-missing``, ``cannot-open``, ``not-dicom``, ``truncated`` or the class's own.
    """
    try:
        with quiet():
            yield
    except GclnmError:
        raise
    except FileNotFoundError as error:
        raise ReadError(
            "the file is not there", where=path, fix="Scan the folder again.", code="file-missing"
        ) from error
    except InvalidDicomError as error:
        raise ReadError("the file is not DICOM", where=path, code="not-dicom") from error
    except Exception as error:  # pydicom raises whatever its decoders raise on a damaged header
        # Its own word for a data set that stops is an OSError that no system call made.
        if isinstance(error, EOFError) or (isinstance(error, OSError) and error.errno is None):
            raise truncated(path) from error
        if isinstance(error, OSError):
            raise ReadError(
                "the file cannot be opened", where=path, fix="Check its permissions.", code="cannot-open"
            ) from error
        raise ReadError(
            f"the DICOM header is damaged ({type(error).__name__})", where=path, fix=COPY_AGAIN
        ) from error


def read_dataset(path: str) -> Dataset:
    """Read a whole DICOM file, pixel data included; without preamble and meta information as well.

    Raises
    ------
    ReadError
        See :func:`readable`.
    """
    with readable(path):
        with open(path, "rb") as stream:
            start = stream.read(132)
            if not looks_like_dicom(start):
                raise ReadError("the file is not DICOM", where=path, code="not-dicom")
            check_inflated(stream, path)
            dataset = pydicom.dcmread(stream, force=start[128:132] != b"DICM")
        if "TransferSyntaxUID" not in dataset.file_meta:
            dataset.file_meta.TransferSyntaxUID = _guessed_syntax(dataset)
        if not UID(text(dataset.file_meta, "TransferSyntaxUID")).is_transfer_syntax:
            raise ReadError("the header names no known transfer syntax", where=path, fix=COPY_AGAIN)
    return dataset


def _guessed_syntax(dataset: Dataset) -> UID:
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian
