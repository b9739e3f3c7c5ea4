"""The READMEs' curl examples, run as they stand against a real server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Template
from tests.server import running_server

ROOT = Path(__file__).parent.parent
CURL = shutil.which("curl")


def examples(readme: str) -> list[str]:
    """The shell blocks that a reader pastes, but for the one that sets address and key."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block for block in blocks if "export " not in block]


@pytest.mark.skipif(CURL is None, reason="curl is not installed")
@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_curl_example_of_the_readme_is_answered_2xx(readme: str, seeded: Template, tmp_path: Path) -> None:
    with running_server(seeded.url) as address:
        environment = {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "ZEREN": f"{address}/api/v1",
            "KEY": f"Authorization: Bearer {seeded.keys['education']}",
        }
        found = examples(readme)
        assert len(found) >= 4
        for block in found:
            # with --fail, curl ends with status 22 for an answer of 400 and above
            script = "set -e\n" + block.replace("curl -s", "curl -sS --fail-with-body")
            done = subprocess.run(
                ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            assert done.stdout


def test_both_readmes_show_the_same_commands() -> None:
    assert examples("README.md") == examples("README.zh-CN.md")
