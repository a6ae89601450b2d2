"""Ctrl-C during a run: once stops it in order, twice ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

__all__ = ["CtrlC"]


class CtrlC:
    """A block in which the first Ctrl-C is only noted, and the second raises KeyboardInterrupt.

    The run asks `asked` between two results, so that a first Ctrl-C never breaks into a commit. One that
    nobody has asked for raises KeyboardInterrupt at the end of the block.
    Outside the main thread, and where somebody else handles the signal, it changes nothing.

    Parameters
    ----------
    patient
        The second one waits for the end of the block as well: something short is made or taken down that
        must not be left halfway.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.times = 0
        self._patient = patient
        self._ours = False

    def asked(self) -> bool:
        """Whether Ctrl-C was pressed in this block."""
        return self.times > 0

    def __enter__(self) -> CtrlC:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._ours = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.asked() and kind is None:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.times += 1
        if self.times > 1 and not self._patient:
            signal.default_int_handler(number, frame)
