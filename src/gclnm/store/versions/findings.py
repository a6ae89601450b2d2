"""What a check finds: problems with place and remedy, and how much was looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["OTHER_TOOL", "REPORT", "RESTORE", "Findings"]

RESTORE = "Restore the store's files from a copy; read(at=) an earlier commit where that one is whole."
OTHER_TOOL = (
    "Something else than gclnm wrote to the store. Restore it from a copy, or extract into a new one."
)
REPORT = "Report this with log() of the store: gclnm should not have written it."


@dataclass
class Findings:
    """Problems as they are found, and what was looked at."""

    problems: list[dict[str, str]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, code: str, what: str, where: str, fix: str) -> None:
        """Note a problem."""
        self.problems.append({"code": code, "what": what, "where": where, "fix": fix})

    def count(self, what: str, n: int = 1) -> None:
        """Note that something was looked at."""
        self.seen[what] = self.seen.get(what, 0) + n

    @contextmanager
    def reading(self, what: str, where: str) -> Iterator[None]:
        """Whatever cannot be read within is a problem, and ends only the block."""
        try:
            yield
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # Icechunk is Rust: damage may end in a panic, which is no Exception.
            if isinstance(error, GeneratorExit):
                raise
            self.add("unreadable", f"{what} cannot be read ({type(error).__name__})", where, RESTORE)
