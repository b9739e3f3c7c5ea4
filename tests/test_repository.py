"""House rules on the tree itself: what no file may name, how long one may grow, what the lock files hold."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50

# In pieces, so that this file does not name what it looks for.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "np" + "mjs.",
    "deb." + "debian.org",
    "security." + "debian.org",
    "gh" + "cr.io",
    "docker" + ".io",
    "qu" + "ay.io",
]
INDEX_OPTIONS = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "index" + "-url ="]
# A folder of one person's or one machine's; an address on the web that has such a part in its path is none.
LOCAL_PATH = re.compile(r"(?<![\w.~$})/-])/(?:work|root|home)/\w")


@cache
def tracked_files() -> list[Path]:
    """Every file that is, or would be, in git; where there is no git, every file that is not made by a tool."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return sorted(walk(ROOT))
    return sorted(path for name in listed if name and (path := ROOT / name).is_file())


def walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        made = path.name in {".git", ".venv", ".demo", "build", "dist", "__pycache__"} or path.name.endswith(
            ("_cache", ".egg-info", ".hypothesis")
        )
        if path.is_dir() and not made:
            yield from walk(path)
        elif path.is_file():
            yield path


def text_lines() -> Iterator[tuple[str, str]]:
    """Each line of each tracked text file, with the place to show."""
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def python_files(folder: str) -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py" and path.is_relative_to(ROOT / folder)]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def metadata() -> dict[str, object]:
    return tomllib.loads(read("pyproject.toml"))


def locked(name: str) -> dict[str, tuple[Version, int]]:
    """The packages of a lock file, each with its version and the number of its hashes."""
    found = {}
    for block in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", read(name), flags=re.MULTILINE)):
        pin = re.match(r"([\w.-]+)==([\w.!+]+)", block)
        assert pin, f"{name}: not a pin: {block.splitlines()[0]}"
        found[canonicalize_name(pin[1])] = Version(pin[2]), len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block))
    return found


class TestTrackedFiles:
    def test_name_no_package_registry(self):
        words = [word.lower() for word in REGISTRY_HOSTS + INDEX_OPTIONS]
        assert [place for place, line in text_lines() if any(word in line.lower() for word in words)] == []

    def test_name_no_folder_of_a_developers_machine(self):
        assert [place for place, line in text_lines() if LOCAL_PATH.search(line)] == []

    @pytest.mark.parametrize(
        ("line", "found"),
        [
            ("see /ho" + "me/wang/plans", True),
            ('"/wo' + 'rk/main"', True),
            ("https://example.org/ho" + "me/page", False),
            ("the docs/work/list", False),
        ],
    )
    def test_pattern_of_such_a_folder(self, line, found):
        assert bool(LOCAL_PATH.search(line)) is found

    def test_are_utf_8_with_a_newline_at_the_end_and_no_carriage_return(self):
        wrong = [
            str(path.relative_to(ROOT))
            for path in tracked_files()
            if path.suffix in {".py", ".md", ".toml", ".lock", ".sh", ".yaml", ".yml"}
            and (content := path.read_bytes())
            and (not content.endswith(b"\n") or b"\r" in content)
        ]
        assert wrong == []


class TestLengths:
    def test_files_of_the_service(self):
        lengths = {str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in python_files("app")}
        assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}

    def test_functions_of_the_service(self):
        lengths = {}
        for path in python_files("app"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lengths[f"{path.relative_to(ROOT)}:{node.name}"] = (node.end_lineno or 0) - node.lineno + 1
        assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION} == {}


class TestLockFiles:
    @pytest.mark.parametrize("name", LOCKS)
    def test_have_a_hash_for_each_package(self, name):
        packages = locked(name)
        assert packages
        assert [package for package, (_, hashes) in packages.items() if hashes == 0] == []

    def test_hold_one_version_of_each_package(self):
        service, tests = locked("requirements.lock"), locked("requirements-dev.lock")
        assert {name: pin for name, pin in service.items() if tests.get(name) != pin} == {}

    @pytest.mark.parametrize(
        ("name", "table", "key"),
        [
            ("requirements.lock", "project", "dependencies"),
            ("requirements-dev.lock", "dependency-groups", "dev"),
            ("requirements-build.lock", "build-system", "requires"),
        ],
    )
    def test_fulfil_pyproject(self, name, table, key):
        packages = locked(name)
        wanted = [Requirement(text) for text in metadata()[table][key]]
        missing = [
            str(one)
            for one in wanted
            if (pin := packages.get(canonicalize_name(one.name))) is None or pin[0] not in one.specifier
        ]
        assert missing == [], "type: make lock"


class TestMakefile:
    def test_each_target_has_a_help_text(self):
        targets = re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", read("Makefile"), flags=re.MULTILINE)
        assert {name for name, _ in targets} >= {"help", "demo", "test", "bench", "fmt", "lock", "openapi", "clean"}
        assert [name for name, rest in targets if not re.search(r"## \w+", rest)] == []

    def test_help_lists_each_target(self):
        command = ["make", "--no-print-directory", "help"]  # `make test` runs this test, and a make below it says so
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        targets = re.search(r"^\.PHONY: (.*)$", read("Makefile"), flags=re.MULTILINE)[1].split()
        assert [line.split()[1] for line in shown.splitlines()] == targets


class TestDockerfile:
    def test_python_is_the_one_the_lock_files_are_made_for(self):
        minor = re.search(r"^ARG PYTHON=(\d+\.\d+)-", read("Dockerfile"), flags=re.MULTILINE)[1]
        assert f"--python-version {minor} " in read("scripts/lock.sh")
        assert Requirement(f"python{metadata()['project']['requires-python']}").specifier.contains(minor)

    def test_both_stages_have_one_base(self):
        bases = re.findall(r"^FROM (\S+)", read("Dockerfile"), flags=re.MULTILINE)
        assert len(bases) == 2
        assert set(bases) == {"python:${PYTHON}"}

    def test_installs_with_hashes_or_without_an_index(self):
        installs = re.findall(r"pip install (.*)$", read("Dockerfile"), flags=re.MULTILINE)
        assert installs
        assert [one for one in installs if not re.match(r"--require-hashes |--no-deps --no-index ", one)] == []

    def test_sees_every_file_that_it_copies(self):
        copies = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), flags=re.MULTILINE)
        sources = {source for copy in copies for source in copy.split()}
        allowed = set(re.findall(r"^!(.+)$", read(".dockerignore"), flags=re.MULTILINE))
        assert allowed == sources
        assert [source for source in sources if not (ROOT / source).exists()] == []

    def test_asks_for_its_health_on_the_port_that_it_serves(self):
        dockerfile = read("Dockerfile")
        ports = re.search(r"^EXPOSE (\d+)$", dockerfile, flags=re.MULTILINE)[1]
        assert f"HTTPConnection('127.0.0.1', {ports}," in dockerfile
        assert f'"--port", "{ports}"]' in dockerfile
        assert f":{ports}:{ports}" in read("compose.yaml")
