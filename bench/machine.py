"""What else the machine did during a run: the noise that a reader has to know of."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import cpu_seconds


@dataclass
class Noise:
    """How many cores were busy with something that was not part of the run; None where the system does not tell."""

    cores: float | None = None


@contextmanager
def watched(*servers: int) -> Iterator[Noise]:
    """Note what others took of the machine during a block; time that a virtual machine was denied counts too."""
    noise = Noise()
    began, busy, own = time.monotonic(), _busy_seconds(), _own_seconds(*servers)
    yield noise
    busy_after, seconds = _busy_seconds(), time.monotonic() - began
    if busy is not None and busy_after is not None:
        noise.cores = max(0.0, busy_after - busy - (_own_seconds(*servers) - own)) / seconds


def _busy_seconds() -> float | None:
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds(*servers: int) -> float:
    """What this process, the load generators that have ended, and the servers took."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages) + sum(cpu_seconds(pid) or 0 for pid in servers)
