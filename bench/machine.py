"""What processes take of the machine: those of a run, and all others, the noise that a reader has to know of."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROCESSES = Path("/proc")
_PARENT, _SPENT = 1, slice(11, 15)  # fields of a process's `stat`, behind its name


@dataclass
class Noise:
    """How many cores were busy with something that was not part of the run; None where the system does not tell."""

    cores: float | None = None


@contextmanager
def watched(database: int | None) -> Iterator[Noise]:
    """Note what others took of the machine during a block; time that a virtual machine was denied counts too.

    Servers and load generators are not others when they begin and end in the block: they are children of this process.
    Nor is the database's process, which began before.
    The times are those of the processes. The totals in /proc/stat are only sampled, and miss much of what wakes up
    often and briefly, as servers and load generators do.
    """
    noise = Noise()
    began, before = time.monotonic(), _others_seconds(database)
    yield noise
    after, seconds = _others_seconds(database), time.monotonic() - began
    if before is not None and after is not None:
        noise.cores = max(0.0, after - before) / seconds  # ticks are rounded: nothing may look like less


def cpu_seconds(pid: int) -> float | None:
    """The CPU time that a process and its children have taken, all threads; None where the system does not tell."""
    stats = _stats()
    if pid not in stats:
        return None
    family = {pid} | _below(pid, stats)
    return sum(sum(stats[one][_SPENT]) for one in family) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, which: str = "VmRSS") -> int | None:
    """Resident memory of a process, as it is (`VmRSS`) or was at most (`VmHWM`), which a sampler could miss; bytes."""
    try:
        lines = (_PROCESSES / str(pid) / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:")), None)


def _others_seconds(database: int | None) -> float | None:
    """What all processes have taken but this one, its children that have ended, and a database."""
    if not (_PROCESSES / "stat").exists():
        return None
    stats = _stats()
    own = {os.getpid()} | ({database} | _below(database, stats) if database is not None else set())
    # a process counts with its children that have ended, so that nothing is lost when one ends
    others = sum(sum(fields[_SPENT]) for pid, fields in stats.items() if pid not in own)
    stolen = int((_PROCESSES / "stat").read_text().split("\n", 1)[0].split()[8])
    return (others + stolen) / os.sysconf("SC_CLK_TCK")


def _stats() -> dict[int, list[int]]:
    """The numbers of each process's `stat`; its state, a letter, is 0."""
    found = {}
    for path in _PROCESSES.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended just now
            continue
        found[int(path.parent.name)] = [0, *map(int, fields[1:])]
    return found


def _below(pid: int, stats: dict[int, list[int]]) -> set[int]:
    """A process's children, and theirs."""
    children = {child for child, fields in stats.items() if fields[_PARENT] == pid}
    return children.union(*(_below(child, stats) for child in children))
