"""What else the machine did during a run: the noise that a reader has to know of."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")


@dataclass
class Noise:
    """How many cores were busy with something that was not part of the run; None where the system does not tell."""

    cores: float | None = None


@contextmanager
def watched() -> Iterator[Noise]:
    """Note what others took of the machine during a block; time that a virtual machine was denied counts too.

    Servers and load generators are not others when they begin and end in the block: they are children of this process.
    The times are those of the processes. The totals in /proc/stat are only sampled, and miss much of what wakes up
    often and briefly, as servers and load generators do.
    """
    noise = Noise()
    began, before = time.monotonic(), _others_seconds()
    yield noise
    after, seconds = _others_seconds(), time.monotonic() - began
    if before is not None and after is not None:
        noise.cores = max(0.0, after - before) / seconds  # ticks are rounded: nothing may look like less


def _others_seconds() -> float | None:
    """What all processes but this one and its children that have ended have taken."""
    if not (_PROCESSES / "stat").exists():
        return None
    others = sum(_ticks(path) for path in _PROCESSES.glob("[0-9]*/stat") if int(path.parent.name) != os.getpid())
    stolen = int((_PROCESSES / "stat").read_text().split("\n", 1)[0].split()[8])
    return (others + stolen) / os.sysconf("SC_CLK_TCK")


def _ticks(path: Path) -> int:
    """What a process has taken, with its children that have ended: so nothing is lost when one ends."""
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:  # it has ended just now, and counts for its parent
        return 0
    return sum(map(int, fields[11:15]))
