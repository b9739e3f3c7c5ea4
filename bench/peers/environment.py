"""The virtual environment of the peers: apart from the service's own, from a lock file with hashes."""

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCK = HERE / "requirements.lock"


def install(folder: Path) -> Path:
    """The interpreter of an environment in a folder that has what the lock file names; made where it is not there.

    Raises RuntimeError when a package cannot be had.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "installed"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode() + str(folder).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    _run([*pip, "--require-hashes", "--requirement", str(LOCK)])
    stamp.write_text(wanted)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the peers cannot be installed (try --no-peers):\n{done.stderr[-2000:]}")
