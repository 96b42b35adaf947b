"""Fetching over real HTTP, from a server on this machine that answers as the hub does."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from selavpr_core.weights.hub import FILES, REPOSITORY

CONTENT = bytes(range(256)) * 64
CLIENT = """
import sys
from selavpr_core.errors import WeightsUnavailableError
from selavpr_core.weights.hub import fetch
for name in sys.stdin:
    try:
        print("path", fetch(name.strip()), flush=True)
    except WeightsUnavailableError as error:
        print("unavailable", repr(str(error)), flush=True)
"""


class Hub(http.server.ThreadingHTTPServer):
    """Serves one file; `mode` says how: "up", "silent" (drops connections), or an HTTP status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode = "up"
        self.requests: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub

    def answer(self) -> None:
        if "/resolve/" in self.path:  # not what the client library asks on its own account
            self.server.requests.append(self.command)
        if self.server.mode == "silent":
            self.close_connection = True
            return
        if self.path != f"/{REPOSITORY}/resolve/main/{FILES['base']}":
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
        self.send_header("ETag", '"0011223344556677"')
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(CONTENT)

    do_HEAD = do_GET = answer

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Client:
    """A process that fetches the names that it is told, with an empty cache of its own."""

    def __init__(self, project: Path, cache: Path, hub: Hub, **environment: str) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLIENT],
            cwd=project,
            env={
                **inherited,
                "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}",
                "HF_HOME": str(cache),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fetch(self, name: str) -> tuple[str, str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        kind, _, rest = self.process.stdout.readline().strip().partition(" ")
        return kind, rest

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.errors = self.process.communicate()[1]


def test_a_file_is_fetched_once_and_then_used_without_network(
    project: Path, tmp_path: Path, hub: Hub
) -> None:
    # TQDM_POSITION makes the hub's library draw its progress bar without a terminal too.
    with Client(project, tmp_path, hub, TQDM_POSITION="-1") as client:
        kind, path = client.fetch("base")
        assert kind == "path"
        assert Path(path).read_bytes() == CONTENT
        assert hub.requests.count("GET") == 1

        kind, message = client.fetch("large-float")  # not on this hub
        assert kind == "unavailable"
        assert "404" in message or "Not Found" in message

        hub.requests.clear()
        hub.mode = "silent"
        assert client.fetch("base") == ("path", path)
        assert not hub.requests

        # Not in the cache: told at once, in one line, with what to do.
        kind, message = client.fetch("large")
        assert kind == "unavailable"
        assert "\\n" not in message
        for part in ("'large'", FILES["large"], REPOSITORY, "HF_HOME", "or use tiny"):
            assert part in message
        assert hub.requests == ["HEAD"]
    assert f"{FILES['base']}: 100%" in client.errors
    assert "Traceback" not in client.errors


def test_offline_mode_is_respected(project: Path, tmp_path: Path, hub: Hub) -> None:
    with Client(project, tmp_path, hub, HF_HUB_OFFLINE="1") as client:
        kind, message = client.fetch("base")
    assert kind == "unavailable"
    assert "offline mode" in message
    assert not hub.requests
