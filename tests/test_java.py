"""Java's own HttpClient with its defaults, which offers HTTP/2 with every request, against a real `zeren serve`."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Template
from tests.server import running_server

JAVA = shutil.which("java")
NOTE = "教育局6月统计" * 100
PROGRAM = """\
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.io.ByteArrayInputStream;

public class Post {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        byte[] small = System.in.readAllBytes();
        byte[] large = new byte[20_000_000];
        BodyPublisher[] bodies = {
            BodyPublishers.ofByteArray(small),
            BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(small)),
            BodyPublishers.ofByteArray(large),
            BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(large)),
            BodyPublishers.noBody(),
            BodyPublishers.ofByteArray(small),
        };
        for (BodyPublisher body : bodies) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .header("Authorization", "Bearer " + arguments[1])
                .header("Content-Type", "application/json")
                .POST(body).build();
            var answer = client.send(request, BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body());
        }
    }
}
"""


@pytest.fixture
def engine() -> str:
    """HTTP is the same on both."""
    return "sqlite"


@pytest.mark.skipif(JAVA is None, reason="Java is not installed")
def test_bodies_of_every_size_and_framing_arrive_whole(seeded: Template, tmp_path: Path) -> None:
    program = tmp_path / "Post.java"
    program.write_text(PROGRAM, encoding="utf-8")
    value = {"indicator": "xianning-2023.58.1", "period": "2023-06", "value": 46.8, "note": NOTE}
    with running_server(seeded.url) as address:
        done = subprocess.run(
            [
                str(JAVA),
                "-Dstdout.encoding=UTF-8",
                program,
                f"{address}/api/v1/values",
                seeded.keys["education"],
            ],
            input=json.dumps(value, ensure_ascii=False).encode(),
            capture_output=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr.decode()
    told = [line.split(" ", 2) for line in done.stdout.decode().splitlines()]
    assert [status for status, _, _ in told] == ["201", "200", "413", "413", "422", "200"]
    assert {version for _, version, _ in told} == {"HTTP_1_1"}
    assert [json.loads(body)["note"] for status, _, body in told if status in ("200", "201")] == [NOTE] * 3
