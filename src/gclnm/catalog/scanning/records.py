"""What was learnt of one file, in a form that a cache can keep: plain JSON, without a patient's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from gclnm.errors import GclnmError, ReadError
from gclnm.images.dicom.files import looks_like_dicom
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.headers import FileHeader, read_header
from gclnm.images.dicom.rois import RoiHeader
from gclnm.images.files.headers import ImageHeader, Label, is_image_name, read_image_header

__all__ = ["FileRecord", "from_json", "read_record", "to_json"]

RECORD_VERSION = 7


@dataclass(frozen=True)
class FileRecord:
    """What one file is.

    Parameters
    ----------
    path
        The file.
    dicom
        Its header, if it is DICOM.
    image
        Its header, if it is NIfTI, NRRD or MetaImage.
    error
        Why it could not be read, although it should have been. A file of another kind (a text, a
        picture) has neither header nor error.
    """

    path: str
    dicom: FileHeader | None = None
    image: ImageHeader | None = None
    error: GclnmError | None = None


def read_record(path: str, salt: bytes) -> FileRecord:
    """Read the header of one file of any kind; never raises."""
    try:
        if is_image_name(path):
            return FileRecord(path, image=read_image_header(path))
        with open(path, "rb") as stream:
            start = stream.read(132)
        if not looks_like_dicom(start):
            # A cut DICOM file keeps its name even when it lost its first bytes.
            lost = path.lower().endswith((".dcm", ".dicom"))
            return FileRecord(path, error=_not_dicom(path, empty=not start) if lost else None)
        return FileRecord(path, dicom=read_header(path, salt=salt))
    except GclnmError as error:
        return FileRecord(path, error=error)
    except OSError:
        problem = ReadError(
            "the file cannot be opened", where=path, fix="Check its permissions.", code="cannot-open"
        )
        return FileRecord(path, error=problem)
    except Exception as error:  # one odd file must not end the scan of all others
        problem = ReadError(
            f"internal: {type(error).__name__}",
            where=path,
            fix="Leave the file out, and report what kind of file it is.",
            code="internal",
        )
        return FileRecord(path, error=problem)


def _not_dicom(path: str, *, empty: bool) -> ReadError:
    what = "the file is empty" if empty else "the file is named as DICOM but does not begin like one"
    return ReadError(what, where=path, fix="Export or copy it again.", code="not-dicom")


def to_json(record: FileRecord) -> str:
    """The record as JSON; what equals its default is left out, and so is the path."""
    document: dict[str, Any] = {"v": RECORD_VERSION}
    if record.dicom is not None:
        document["dicom"] = {
            "kind": record.dicom.kind,
            "sop_class": record.dicom.sop_class,
            "frames": _deltas([_plain(frame) for frame in record.dicom.frames]),
            "rois": _deltas([_plain(roi) for roi in record.dicom.rois]),
        }
    if record.image is not None:
        labels = [_plain(label) for label in record.image.labels]
        document["image"] = _plain(record.image) | {"labels": labels}
    if record.error is not None:
        document["error"] = {"what": record.error.what, "fix": record.error.fix, "code": record.error.code}
    return json.dumps(document, separators=(",", ":"))


def from_json(text: str, path: str) -> FileRecord:
    """The record of :func:`to_json`, for the file at ``path``.

    Raises
    ------
    ValueError
        When the text is not such a record, or one of another version.
    """
    try:
        document = json.loads(text)
        if document["v"] != RECORD_VERSION:
            raise ValueError("another version")
        return FileRecord(
            path,
            dicom=_dicom(document.get("dicom"), path),
            image=_image(document.get("image"), path),
            error=_error(document.get("error"), path),
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError("not a record of a file") from error


def _plain(item: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from their default, without the path."""
    return {
        f.name: value
        for f in fields(item)
        if f.name != "file"
        and (value := getattr(item, f.name)) != (None if f.default is MISSING else f.default)
    }


def _deltas(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first row whole, of the others only what differs from it: frames of a file share most."""
    if len(rows) < 2:
        return rows
    first = rows[0]
    rest = []
    for row in rows[1:]:
        change = {key: value for key, value in row.items() if key not in first or first[key] != value}
        gone = [key for key in first if key not in row]
        rest.append(change | ({"-": gone} if gone else {}))
    return [first, *rest]


def _undeltas(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    whole = rows[:1]
    for row in rows[1:]:
        gone = set(row.get("-", ()))
        whole.append({k: v for k, v in {**rows[0], **row}.items() if k not in gone and k != "-"})
    return whole


def _tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


def _dicom(document: dict[str, Any] | None, path: str) -> FileHeader | None:
    if document is None:
        return None
    return FileHeader(
        path,
        document["kind"],
        frames=tuple(FrameHeader(file=path, **_tuples(row)) for row in _undeltas(document["frames"])),
        rois=tuple(RoiHeader(file=path, **_tuples(row)) for row in _undeltas(document["rois"])),
        sop_class=document["sop_class"],
    )


def _image(document: dict[str, Any] | None, path: str) -> ImageHeader | None:
    if document is None:
        return None
    labels = tuple(Label(**row) for row in document["labels"])
    return ImageHeader(file=path, **(_tuples(document) | {"labels": labels}))


def _error(document: dict[str, str] | None, path: str) -> GclnmError | None:
    if document is None:
        return None
    return ReadError(document["what"], where=path, fix=document["fix"], code=document["code"])
