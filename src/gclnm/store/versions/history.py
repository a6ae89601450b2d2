"""The history of a store: its commits as a table, and the commit that a tag, an id or a date means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from gclnm.counts import count
from gclnm.errors import InputError, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from gclnm.store.repository import Repository

__all__ = ["At", "log", "resolve", "sentence"]

At = str | date | None
COMMIT = re.compile(r"[0-9A-Z]{4,20}")
COMMIT_LENGTH = 20
# What a commit did besides adding rows.
ACTIONS = {
    "create": "set created",
    "replace": "set started anew",
    "merge": "rows of another store merged",
    "compact": "rewritten for reading columns",
    "select": "selection stored",
    "table": "table stored",
}
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def sentence(name: str, record: dict[str, Any]) -> str:
    """What a commit did, in words.

    Examples
    --------
    >>> sentence("ct", {"action": "append", "added": 12, "replaced": 1, "failed": 2})
    'ct: 12 rows added, 1 replaced, 2 of them failed'
    >>> sentence("ct", {"action": "link", "linked": 1})
    'ct: 1 sample linked'
    >>> sentence("ct", {"action": "select", "selection": "robust", "features": 12})
    'ct: selection robust stored, 12 features'
    """
    parts = [words] if (words := _action(record)) else []
    added, replaced = int(record.get("added", 0)), int(record.get("replaced", 0))
    if added:
        parts.append(f"{_rows(added)} added")
    if replaced:
        parts.append(f"{replaced if added else _rows(replaced)} replaced")
    if record.get("linked"):
        parts.append(f"{count(int(record['linked']), 'sample')} linked")
    if record.get("failed"):
        parts.append(f"{record['failed']} of them failed")
    return f"{name}: {', '.join(parts)}"


def _action(record: Mapping[str, Any]) -> str:
    """What was done, with the names of what it was done to."""
    action = str(record["action"])
    words = ACTIONS.get(action, "")
    if action == "merge":
        store = str(dict(record.get("origin") or {}).get("store_id", ""))[:8]
        words = f"rows of store {store} merged" if store else words
        names = record.get("selections") or ()
        return f"{words}, {_named('selection', names)} taken over" if names else words
    if action == "select" and record.get("selection"):
        words = f"selection {record['selection']} stored"
        n = record.get("features")
        return words if n is None else f"{words}, {count(int(n), 'feature')}"
    if action == "table":
        joined = "merged from another store" if record.get("tables") else "stored"
        return f"table {joined}" + (f", {_rows(int(record['rows']))}" if "rows" in record else "")
    return words


def _named(what: str, names: Sequence[str]) -> str:
    return f"{what if len(names) == 1 else what + 's'} {', '.join(names)}"


def _rows(n: int) -> str:
    return count(n, "row")


def log(repository: Repository) -> pd.DataFrame:
    """Every commit, newest first."""
    import pandas as pd

    tags: dict[str, list[str]] = {}
    for tag, commit in repository.tags().items():
        tags.setdefault(commit, []).append(tag)
    rows = []
    for snapshot in repository.ancestry():
        record = dict(snapshot.metadata)
        if "action" not in record:  # Icechunk's own first snapshot.
            continue
        rows.append(
            {
                "time": snapshot.written_at,
                "commit": snapshot.id,
                "set": record.get("set", ""),
                "what": snapshot.message,
                "added": int(record.get("added", 0)),
                "replaced": int(record.get("replaced", 0)),
                "linked": int(record.get("linked", 0)),
                "failed": int(record.get("failed", 0)),
                "message": record.get("message", ""),
                "tags": ", ".join(sorted(tags.get(snapshot.id, []))),
            }
        )
    return pd.DataFrame(rows)


def resolve(repository: Repository, at: At) -> str:
    """Id of the commit that a tag, a commit id (or the start of one) or a date means; None: the newest."""
    if at is None:
        return repository.tip()
    if isinstance(at, datetime):
        return _as_of(repository, at)
    at = at.isoformat() if isinstance(at, date) else at
    if not isinstance(at, str) or not at:
        raise InputError(f"at= cannot be a {type(at).__name__}", fix="Give a tag, a commit or a date.")
    tags = repository.tags()
    if at in tags:
        return tags[at]
    if COMMIT.fullmatch(at.upper()):
        found = [snapshot.id for snapshot in repository.ancestry() if snapshot.id.startswith(at.upper())]
        if len(found) == 1:
            return str(found[0])
        if found:
            raise StoreError(
                "several commits begin like this", where=at, fix=f"Give more of it: {', '.join(found[:5])}."
            )
    moment = _moment(at)
    if moment is None:
        known = f"Tags: {', '.join(tags)}." if tags else "The store has no tags."
        raise StoreError(
            "no tag, commit or date is called this",
            where=repr(at),
            fix=f"{known} Commits and dates are in log().",
            code="no-such-version",
        )
    return _as_of(repository, moment)


def _moment(text: str) -> datetime | None:
    """An ISO date or time; a date alone means its end."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return datetime.combine(day, time.max, UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _as_of(repository: Repository, moment: datetime) -> str:
    # A time without a zone is read as the log shows times.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    first = None
    for snapshot in repository.ancestry():
        if "action" in snapshot.metadata:
            first = snapshot.written_at
            if first <= moment:
                return str(snapshot.id)
    raise StoreError(
        "the store did not exist then",
        where=moment.isoformat(timespec="seconds"),
        fix=f"Its first commit is of {first:%Y-%m-%d %H:%M:%S} UTC." if first else "",
        code="no-such-version",
    )


def check_tag(name: str) -> str:
    """The name of a tag, where it can be one."""
    if not isinstance(name, str) or not TAG.fullmatch(name):
        raise InputError(
            "a tag cannot have this name",
            where=repr(name),
            fix="Use letters, digits, '-', '_' and '.', starting with a letter or digit.",
        )
    if (COMMIT.fullmatch(name) and len(name) == COMMIT_LENGTH) or _moment(name) is not None:
        raise InputError(
            "a tag cannot look like a commit or a date: at= would not know which is meant",
            where=repr(name),
            fix="Put a word before it.",
        )
    return name
