"""Who a row belongs to: patient ids as the user wants them, and ids that two persons share."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from gclnm.errors import InputError
from gclnm.images.dicom.frames import FrameHeader

__all__ = ["PatientKey", "conflicts", "key_function"]

PatientKey = Mapping[str, str] | Callable[[str], str] | str | None
HEX_DIGITS = 16


def key_function(patient_key: PatientKey) -> Callable[[str], str]:
    """The function from a header's PatientID to the id of the tables. An empty id stays empty.

    Raises
    ------
    InputError
        When the key is of another kind; by the function, when a mapping lacks an id or the user's
        function does not return text.

    Examples
    --------
    >>> key_function({"A1": "P01"})("A1"), len(key_function("secret")("A1")), key_function(None)("A1")
    ('P01', 16, 'A1')
    """
    if patient_key is None:
        return lambda patient_id: patient_id
    if isinstance(patient_key, str):
        if not patient_key:
            raise InputError("a secret patient_key must not be empty", code="patient-key")
        secret = patient_key.encode("utf-8", "surrogatepass")
        return lambda patient_id: patient_id and _keyed_hash(secret, patient_id)
    if isinstance(patient_key, Mapping):
        table = {str(key): str(value) for key, value in patient_key.items()}
        return lambda patient_id: patient_id and _looked_up(table, patient_id)
    if callable(patient_key):
        function = patient_key
        return lambda patient_id: patient_id and _called(function, patient_id)
    raise InputError(
        "patient_key must be a mapping, a function or a secret text",
        code="patient-key",
        fix="Pass one of them.",
    )


def _keyed_hash(secret: bytes, patient_id: str) -> str:
    # Names of folders may be patient ids, and need not be UTF-8.
    text = patient_id.encode("utf-8", "surrogatepass")
    return hmac.new(secret, text, hashlib.sha256).hexdigest()[:HEX_DIGITS]


def _looked_up(table: Mapping[str, str], patient_id: str) -> str:
    if patient_id not in table:
        raise InputError(
            "patient_key does not have a patient of these files",
            where=f"patient {patient_id!r}",
            fix="Add the patient to the mapping.",
            code="patient-key",
        )
    return table[patient_id]


def _called(function: Callable[[str], str], patient_id: str) -> str:
    result = function(patient_id)
    if not isinstance(result, str):
        raise InputError(
            f"the patient_key function must return text, not {type(result).__name__}",
            where=f"patient {patient_id!r}",
            code="patient-key",
        )
    return result


def conflicts(frames: Iterable[FrameHeader]) -> dict[str, str]:
    """Patient ids that differing sexes or birth dates share, and which of the two differ."""
    sexes: dict[str, set[str]] = defaultdict(set)
    births: dict[str, set[str]] = defaultdict(set)
    for frame in frames:
        if frame.patient_sex.upper() in ("M", "F"):  # O and empty contradict nobody
            sexes[frame.patient_id].add(frame.patient_sex.upper())
        if frame.birth_digest:
            births[frame.patient_id].add(frame.birth_digest)
    found = {}
    for patient_id in {*sexes, *births} - {""}:
        differing = [
            word
            for word, values in (("sex", sexes[patient_id]), ("birth date", births[patient_id]))
            if len(values) > 1
        ]
        if differing:
            found[patient_id] = " and ".join(differing)
    return found
