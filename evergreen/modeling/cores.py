"""How many cores this process may use: its affinity, and the CPU quota of its container."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_cores(wanted: int | None = None, cgroup: Path = _CGROUP) -> int:
    """The cores for a fit.

    Args:
        wanted: `resources.threads`; None takes what there is.
        cgroup: Where the container's limits stand (version 2's `cpu.max`, version 1's `cpu/cpu.cfs_*`).
    """
    if wanted is not None:
        return wanted
    quota = _quota(cgroup)
    cores = len(os.sched_getaffinity(0))
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """CPU seconds a second, or None without a limit."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit, period = (
                (cgroup / "cpu" / f"cpu.cfs_{part}_us").read_text().strip() for part in ("quota", "period")
            )
        except OSError:
            return None
    return float(limit) / float(period) if limit.isdigit() else None
