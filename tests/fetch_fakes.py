"""A web server on this machine: plain files with ranges, and enough of the Hugging Face hub."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONTENT = bytes(range(256)) * 40
PATTERNS = ("config.json", "*.safetensors")


@dataclass
class Web:
    """What a server gives, and what it was asked.

    files: by path, such as "/a.pth". folders: repositories by name. ranges: whether parts can be
    asked for. cut: bytes after which an answer breaks off, once. broken: paths that give 403.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    ranges: bool = True
    cut: int | None = None
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def taken(self) -> list[str]:
        """The files that were sent, by their last name."""
        return [Path(path).name for method, path, _ in self.asked if method == "GET"]

    def found(self, path: str) -> bytes | None:
        """What lies at a path: a file, or what the hub says of a repository."""
        if path in self.files:
            return self.files[path]
        told = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/[^/]+", path)
        if told:
            return self.told(self.folders[told[1]], told[1], told[2])
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        place = self.folders[file[1]] / file[2] if file else None
        return place.read_bytes() if place and place.is_file() else None

    def told(self, folder: Path, repo: str, what: str) -> bytes:
        """A repository's commit, or the list of its files."""
        if what == "revision":
            return json.dumps({"id": repo, "sha": COMMIT, "siblings": []}).encode()
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        rows = [
            {
                "type": "file",
                "path": p.relative_to(folder).as_posix(),
                "size": p.stat().st_size,
                "oid": sha1(p.read_bytes()).hexdigest(),
            }
            for p in files
        ]
        return json.dumps(rows).encode()


@contextmanager
def serving() -> Iterator[Web]:
    """A server of what is put into the Web that it gives, on a free port, until left."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = self.path.partition("?")[0]
            span = self.headers.get("Range", "")
            web.asked.append((self.command, path, span))
            content = None if path in web.broken else web.found(path)
            if content is None:
                self.send_error(403 if path in web.broken else 404)
                return
            start = int(span.removeprefix("bytes=").rstrip("-") or 0) if web.ranges else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", f'"{sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                end, web.cut = len(content) if web.cut is None else start + web.cut, None
                self.wfile.write(content[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """`serving`, taken for the hub by huggingface_hub, with that cache of what was fetched."""
    with serving() as web:
        files = web.url + "/{repo_id}/resolve/{revision}/{filename}"
        hub = {"ENDPOINT": web.url, "HUGGINGFACE_CO_URL_TEMPLATE": files, "HF_HUB_OFFLINE": False}
        for name, value in {**hub, "HF_HUB_CACHE": str(cache)}.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        yield web
