"""What becomes of identifiers on the way into the tables: patients, UIDs, and what names say."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from functools import lru_cache

from gclnm.catalog.cells import safe
from gclnm.catalog.scanning.patients import PatientKey, key_function
from gclnm.images.dicom.assemble import series_key
from gclnm.images.dicom.frames import FrameHeader
from gclnm.images.dicom.rois import RoiHeader

__all__ = ["Identifiers"]

UID_DIGITS = 24
WORD_DIGITS = 8


class Identifiers:
    """What ``scan(patient_key=...)`` makes of identifiers; equal ones stay equal, in whatever object.

    Parameters
    ----------
    key
        A mapping or function: of patient ids alone. A secret: UIDs, ids of files and words of ROI names
        are keyed too. None: everything stays as it is. Text that cannot be shown is made safe in any case.

    Examples
    --------
    >>> plain, keyed = Identifiers(None), Identifiers("secret")
    >>> plain.uid("1.2.3"), keyed.uid("1.2.3") == keyed.uid("1.2.3"), len(keyed.uid("1.2.3"))
    ('1.2.3', True, 24)
    >>> keyed
    Identifiers(secret)
    """

    def __init__(self, key: PatientKey = None) -> None:
        self._key = key
        self._patient = key_function(key)
        self._secret = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else b""
        self.uid = lru_cache(maxsize=1 << 16)(self._uid)

    def __reduce__(self) -> tuple[object, ...]:
        return (Identifiers, (self._key,))

    def __repr__(self) -> str:
        return f"Identifiers({'secret' if self.secret else 'none' if self._key is None else 'given'})"

    @property
    def secret(self) -> bool:
        """Whether everything that identifies is keyed."""
        return bool(self._secret)

    def patient(self, patient_id: str) -> str:
        """The id of the tables for a header's PatientID, or for what a folder's name says."""
        return safe(self._patient(patient_id))

    def _uid(self, uid: str) -> str:
        """A UID, or the id of a file, as the tables hold it; an empty one stays empty."""
        return self._keyed("uid", uid, UID_DIGITS) if uid and self.secret else safe(uid)

    def word(self, word: str) -> str:
        """A part of an ROI's name as a coordinate may hold it."""
        return self._keyed("word", word, WORD_DIGITS) if word and self.secret else word

    def _keyed(self, kind: str, text: str, digits: int) -> str:
        # The kind is in it, so that a patient id that equals a UID is not known by it.
        message = f"{kind}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()[:digits]

    def frame(self, frame: FrameHeader) -> FrameHeader:
        """A frame under the identifiers of the tables; its patient is keyed where rows are made."""
        series = frame.series_uid
        if self.secret:
            # Without a UID the series is known by a digest of what anybody could guess.
            series = series_key(frame)
        ours = (
            self.uid(frame.sop_uid),
            self.uid(series),
            self.uid(frame.study_uid),
            self.uid(frame.frame_uid),
            tuple(map(self.uid, frame.sources)),
        )
        if ours == (frame.sop_uid, frame.series_uid, frame.study_uid, frame.frame_uid, frame.sources):
            return frame
        sop_uid, series_uid, study_uid, frame_uid, sources = ours
        return replace(
            frame,
            sop_uid=sop_uid,
            series_uid=series_uid,
            study_uid=study_uid,
            frame_uid=frame_uid,
            sources=sources,
        )

    def roi(self, roi: RoiHeader) -> RoiHeader:
        """An ROI under the identifiers of the tables."""
        return replace(
            roi,
            sop_uid=self.uid(roi.sop_uid),
            series_uid=self.uid(roi.series_uid),
            study_uid=self.uid(roi.study_uid),
            frame_uid=self.uid(roi.frame_uid),
            referenced=tuple(map(self.uid, roi.referenced)),
            referenced_series=tuple(map(self.uid, roi.referenced_series)),
        )
