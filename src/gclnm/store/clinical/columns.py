"""Which columns of a table are stored and under which names; columns about a person are refused."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from gclnm.catalog.pairing.names import normalise
from gclnm.errors import InputError
from gclnm.schemas.features import COORDINATE_NAME, COORDINATES, PRIVATE
from gclnm.store.write import RESERVED

__all__ = ["Choice", "choose_columns", "raise_together"]

LONGEST_NAME = 64
OURS = frozenset(column.name for column in COORDINATES)
# A row of these would not be a patient's: keys and digests of the store itself.
NO_KEYS = frozenset((*RESERVED, *PRIVATE, "study_uid", "series_uid"))

# Headers that mean a person, whole; after words are cut apart ("PatientName": "patient name").
CERTAIN = {
    "a name": "name|patients? name|full name|first name|last name|family name|given name|surname|forename"
    "|姓名|患者姓名|病人姓名|名字|患者名称|医生姓名",
    "a birth date": "birth ?date|date of birth|dob|birthday|patients? birth ?date|出生日期|出生年月日?|生日",
    "an address": "address|home address|street|post ?code|zip|zip code"
    "|住址|地址|家庭住址|家庭地址|联系地址|现住址|户籍地址",
    "a telephone number or mail address": "(tele)?phone( number| no)?|mobile( number| no| phone)?|tel|e ?mail"
    "|电话|电话号码|联系电话|手机|手机号|手机号码|联系方式|邮箱|电子邮箱|微信|微信号",
    "a number of a person": "ssn|social security( number)?|national id( number)?|id card( number)?"
    "|passport( number)?|身份证|身份证号|身份证号码|证件号|证件号码|护照号|医保号|医保卡号|社保号|社会保障号",
}
# Headers that may well mean a person; refused unless `columns=` names them.
LIKELY = {
    "a name": r"\b(name|surname|physician|doctor|surgeon|radiologist)\b|姓名|医生|医师|术者",
    "a birth date": r"\b(birth|born|dob|birthday)\b|出生|生日",
    "an address": r"\b(address|street|postcode|zip)\b|住址|地址|籍贯",
    "a telephone number or mail address": r"\b(phone|telephone|mobile|email|mail)\b"
    r"|电话|手机|邮箱|微信|联系人|联系方式",
    "a number of a person": r"\b(mrn|ssn|passport|accession|insurance)\b|\b(record|hospital|admission|card)"
    r" (number|no|id)\b|身份证|证件|护照|医保|社保|住院号|病历号|病案号|门诊号|就诊号|登记号|检查号|影像号",
}
# What hospitals call the patient's id: only to say in an error which column may be meant.
ID_HEADERS = re.compile(
    r"patient.?id|^id$|^pid$|\bmrn\b|住院号|病历号|病案号|患者编号|病人编号|患者id|编号", re.I
)


@dataclass(frozen=True)
class Choice:
    """Columns that are stored, by their header: the keys first."""

    names: dict[str, str]
    keys: tuple[str, ...]
    left_out: tuple[str, ...]


def choose_columns(
    header: Sequence[str], keys: Sequence[str] | str, columns: Mapping[str, str] | Sequence[str] | None
) -> Choice:
    """Names in the store of the columns that are wanted.

    Parameters
    ----------
    header
        The headers of the table, normalised.
    keys
        Coordinates that tell rows apart; ``patient_id`` is one of them.
    columns
        Header to name; what is not listed is left out, keys under their own name apart. A list keeps
        the headers. None: all columns under their headers.

    Raises
    ------
    InputError
        All that is wrong with the columns, in one error.
    """
    wanted = _wanted(header, columns)
    keys = _keys(keys)
    for key in keys:
        if key not in wanted.values() and key in header:
            wanted[key] = key
    missing = [key for key in keys if key not in wanted.values()]
    # The column that is probably the patient's id is no problem of its own.
    others = {old: new for old, new in wanted.items() if not missing or not ID_HEADERS.search(old)}
    problems = [_no_key(missing, header)] if missing else []
    problems += [*_private(others, keys, listed=columns is not None), *_bad_names(wanted, keys)]
    raise_together(problems, "the columns of the table cannot be stored like this")
    order = {header: name for key in keys for header, name in wanted.items() if name == key}
    order |= {name: wanted[name] for name in header if name in wanted}
    if len(order) == len(keys):
        raise InputError(
            "the table has no column besides its keys",
            where=", ".join(header),
            fix="Look at the separator of the file and at columns=.",
            code="bad-table",
        )
    return Choice(order, keys, tuple(name for name in header if name not in order))


def _wanted(header: Sequence[str], columns: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    if columns is None:
        return {name: name for name in header}
    if isinstance(columns, str):
        columns = [columns]
    given = dict(columns) if isinstance(columns, Mapping) else {name: name for name in columns}
    wanted = {normalise(str(old)): normalise(str(new)) for old, new in given.items()}
    unknown = [name for name in wanted if name not in header]
    if unknown:
        near = {name: difflib.get_close_matches(name, header, n=1, cutoff=0.5) for name in unknown}
        hints = ", ".join(
            f"{name!r}{f' (near: {close[0]!r})' if close else ''}" for name, close in near.items()
        )
        raise InputError(
            "columns= names headers that the table does not have",
            where=hints,
            fix=f"It has {', '.join(map(repr, header))}.",
            code="unknown-column",
        )
    return wanted


def _keys(keys: Sequence[str] | str) -> tuple[str, ...]:
    given = (keys,) if isinstance(keys, str) else tuple(keys)
    bad = [key for key in given if not COORDINATE_NAME.fullmatch(str(key)) or key in NO_KEYS]
    if bad or "patient_id" not in given or len(set(given)) < len(given):
        raise InputError(
            "keys= cannot be these",
            where=", ".join(map(repr, bad or given)) or "none",
            fix="Name coordinates of the rows, each once: patient_id and, where wanted, roi, timepoint ...",
            code="bad-keys",
        )
    return given


def _no_key(missing: Sequence[str], header: Sequence[str]) -> InputError:
    likely = [name for name in header if ID_HEADERS.search(name)]
    example = likely[0] if likely else header[0]
    return InputError(
        f"the table has no column {' and '.join(missing)}",
        where=f"its columns are {', '.join(map(repr, header))}",
        fix=f"Say which one it is: columns={{{example!r}: {missing[0]!r}, ...}}.",
        code="no-key",
    )


def _bad_names(wanted: Mapping[str, str], keys: Sequence[str]) -> list[InputError]:
    others = [name for name in wanted.values() if name not in keys]
    twice = [name for name, count in Counter(wanted.values()).items() if count > 1]
    taken = [name for name in others if name in OURS or name in RESERVED]
    odd = [name for name in others if not _is_name(name)]
    found = (
        (twice, "two columns would have one name", "Give each a name of its own in columns=."),
        (
            taken,
            "columns have the names of coordinates of the images",
            "Rename them, for example columns={'centre': 'hospital'}, or make them keys.",
        ),
        (
            odd,
            "columns have names that cannot be used in conditions",
            "Rename them with columns=: letters (Chinese too), digits and _, 64 at most, no digit first.",
        ),
    )
    return [
        InputError(what, where=", ".join(map(repr, names)), fix=fix, code="bad-column")
        for names, what, fix in found
        if names
    ]


def _is_name(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and "__" not in name and len(name) <= LONGEST_NAME


def _private(wanted: Mapping[str, str], keys: Sequence[str], *, listed: bool) -> list[InputError]:
    found = {}
    for header, name in wanted.items():
        if name in keys:
            continue
        kind = _person(header, CERTAIN) or _person(name, CERTAIN)
        if not kind and not listed:
            kind = _person(header, LIKELY)
        if kind:
            found[header] = kind
    if not found:
        return []
    kinds = " and ".join(sorted(set(found.values())))
    return [
        InputError(
            f"columns look like {kinds}, which no store keeps",
            where=", ".join(map(repr, found)),
            fix="Name the columns that you want in columns=; what is not listed is left out.",
            code="private-column",
        )
    ]


def raise_together(problems: Sequence[InputError], what: str) -> None:
    """Raise one error that says all that is wrong, where anything is."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = "".join(f"\n- {problem}" for problem in problems)
        raise InputError(what, fix=f"It has {len(problems)} problems:{lines}", code="bad-table")


def _person(header: str, kinds: Mapping[str, str]) -> str:
    """What of a person a header means; empty for nothing."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    words = " ".join(re.sub(r"[\W_]+", " ", words).casefold().split())
    whole = kinds is CERTAIN
    for kind, pattern in kinds.items():
        if re.fullmatch(pattern, words) if whole else re.search(pattern, words):
            return kind
    return ""
