"""How much memory a process has taken at most."""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["peak_mb"]


def peak_mb() -> float:
    """Largest resident memory of this process since it started, in MB of 2^20 bytes.

    Examples
    --------
    >>> peak_mb() > 1
    True
    """
    if sys.platform == "linux":
        # getrusage would count what the parent held when it started this process.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
