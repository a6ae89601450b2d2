"""Every error that gclnm raises: what happened, where, and what to do about it."""

from __future__ import annotations

import unicodedata

__all__ = [
    "ClusterError",
    "EngineError",
    "FitWarning",
    "GclnmError",
    "GeometryError",
    "InputError",
    "NetworkFolderWarning",
    "QuantityError",
    "ReadError",
    "RecipeError",
    "StoreError",
    "printable",
]


def printable(words: str) -> str:
    """Words with control characters, marks of direction and broken characters as escapes, for a terminal.

    Examples
    --------
    >>> printable("a" + chr(10) + "b") == "a" + chr(92) + "nb", printable("胃")
    (True, '胃')
    """
    if words.isascii() and words.isprintable():
        return words
    # Cn: places of no character at all.
    unsafe = ("Cc", "Cf", "Cs", "Cn", "Zl", "Zp")
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in unsafe else c for c in words
    )


class GclnmError(Exception):
    """Base of all errors of gclnm: one sentence of what, where, and what to do.

    Parameters
    ----------
    what
        What is wrong, as a template of ours: it may hold numbers, tag names and keys, but never a
        path, a patient's identifier or free text from a file, because it is kept in the store.
    where
        The file, patient, ROI or key. Shown to the user, never stored.
    fix
        What the user can do about it.
    code
        Short, stable name of the situation (``"missing-slice"``); the class's own by default.

    Examples
    --------
    >>> error = ReadError("a slice is missing", where="CT/12.dcm", fix="Export the series again.")
    >>> print(error)
    CT/12.dcm: a slice is missing. Export the series again.
    >>> error.reason
    'unreadable: a slice is missing'
    """

    default_code = "error"

    def __init__(self, what: str, *, where: str = "", fix: str = "", code: str | None = None) -> None:
        self.what = what.rstrip(".")
        self.where = where
        self.fix = fix
        self.code = code or self.default_code
        super().__init__(what)

    @property
    def reason(self) -> str:
        """``code: what``: the part that is safe to store and to share."""
        return f"{self.code}: {self.what}"

    def __str__(self) -> str:
        # Names of files and ROIs are somebody else's: they must not move the cursor or turn the line.
        place = f"{printable(self.where)}: " if self.where else ""
        advice = f" {self.fix}" if self.fix else ""
        stop = "" if self.what.endswith("?") else "."
        return f"{place}{self.what}{stop}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders: keep all four parts.
        return (_rebuild, (type(self), self.what, self.where, self.fix, self.code))


def _rebuild(kind: type[GclnmError], what: str, where: str, fix: str, code: str) -> GclnmError:
    return kind(what, where=where, fix=fix, code=code)


class InputError(GclnmError, ValueError):
    """An argument of the user's cannot be used."""

    default_code = "bad-argument"


class ReadError(GclnmError, OSError):
    """A file or a volume cannot be read."""

    default_code = "unreadable"


class GeometryError(GclnmError, ValueError):
    """Grids, frames of reference or slices do not fit together."""

    default_code = "geometry"


class QuantityError(GclnmError, ValueError):
    """Voxel values are not, or cannot be turned into, the quantity that is asked for."""

    default_code = "quantity"


class RecipeError(GclnmError, ValueError):
    """A recipe has an unknown key, a wrong unit or an impossible value."""

    default_code = "bad-recipe"


class EngineError(GclnmError, RuntimeError):
    """A feature engine could not compute what the recipe asks for."""

    default_code = "engine"


class StoreError(GclnmError, RuntimeError):
    """A store cannot be opened, read or written."""

    default_code = "store"


class ClusterError(GclnmError, RuntimeError):
    """The processes that compute could not be started, or went away."""

    default_code = "cluster"


class FitWarning(UserWarning):
    """Training cases that nothing could be learnt from."""


class NetworkFolderWarning(UserWarning):
    """A store lies on a network file system, where its lock may not hold between machines."""
