from __future__ import annotations

import gzip
import hashlib
import resource
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from brew.errors import DataError, ResourceError
from brew.files.download import Expected, download, forget, unpack

CONTENT = np.random.default_rng(0).bytes(300_000)
PACKED = gzip.compress(CONTENT, 1, mtime=0)
EXPECTED = Expected("numbers", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Handler(BaseHTTPRequestHandler):
    """/good serves the file, /broken ends early every time, /whole knows no ranges, /wrong serves another file."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        kind, wanted = self.path.split("/")[1], self.headers.get("Range")
        self.asked.append((kind, wanted))
        body = {"wrong": gzip.compress(b"other"), "page": b"<html>log in</html>"}.get(kind, PACKED)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and kind != "whole" else 0
        if kind == "missing":
            self.send_error(404)
            return
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : start + 1000] if kind == "broken" else body[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    Handler.asked = []
    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield lambda kind: f"http://127.0.0.1:{running.server_port}/{kind}/"
        running.shutdown()
        thread.join()


def test_arrives_with_progress_and_is_kept(server, tmp_path):
    seen = []
    assert download([server("good")], EXPECTED, tmp_path, lambda *a: seen.append(a)) == CONTENT
    assert seen[-1] == ("numbers.gz", len(PACKED), len(PACKED))
    assert [f.name for f in tmp_path.iterdir()] == ["numbers.gz"]
    assert download([server("missing")], EXPECTED, tmp_path) == CONTENT  # from the folder
    assert len(Handler.asked) == 1


def test_goes_on_where_it_broke_off(server, tmp_path):
    with pytest.raises(DataError, match=r"numbers.gz could not be downloaded: .*bytes are missing"):
        download([server("broken")], EXPECTED, tmp_path)
    assert Handler.asked == [("broken", None), ("broken", "bytes=1000-"), ("broken", "bytes=2000-")]
    assert download([server("good")], EXPECTED, tmp_path) == CONTENT
    assert Handler.asked[-1] == ("good", "bytes=3000-")


@pytest.mark.parametrize("kind", ["good", "whole"])
@pytest.mark.parametrize("left", [b"something else", PACKED + b"too much", PACKED])
def test_whatever_an_earlier_try_left(server, tmp_path, kind, left):
    (tmp_path / "numbers.gz.part").write_bytes(left)
    assert download([server(kind)], EXPECTED, tmp_path) == CONTENT


@pytest.mark.parametrize("first", ["missing", "wrong", "page", "broken"])
def test_the_next_mirror(server, tmp_path, first):
    assert download([server(first), server("good")], EXPECTED, tmp_path) == CONTENT


def test_every_failure_is_told(server, tmp_path):
    with pytest.raises(DataError, match=r"/missing/numbers.gz: HTTP Error 404.*/wrong/numbers.gz: .*holds 5 bytes"):
        download([server("missing"), server("wrong")], EXPECTED, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_server(tmp_path):
    with pytest.raises(DataError, match="refused"):
        download(["http://127.0.0.1:1/"], EXPECTED, tmp_path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (gzip.compress(CONTENT[:-1]), "holds 299999 bytes, 300000 are expected"),
        (gzip.compress(CONTENT + b"more"), "holds more than 300000 bytes"),
        (gzip.compress(CONTENT[:-1] + b"x"), "has the SHA-256"),
        (PACKED[:-100], "cannot be unpacked"),
        (b"<!doctype html>", "is a web page"),
    ],
)
def test_wrong_content(tmp_path, content, what):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=what):
        unpack(tmp_path / "f", EXPECTED)


def test_packed_anew_or_unpacked_is_as_good(tmp_path):
    for content in (gzip.compress(CONTENT, 9), CONTENT):
        (tmp_path / "f").write_bytes(content)
        assert unpack(tmp_path / "f", EXPECTED) == CONTENT


def test_a_full_disk_is_no_failure_of_a_mirror(server, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(ResourceError, match=r"^cannot write .*/numbers.gz.part: File too large$"):
            download([server("good"), server("whole")], EXPECTED, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert Handler.asked == [("good", None)]
    (tmp_path / "mine").write_text("")
    forget(tmp_path, EXPECTED)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_is_gone_is_no_failure_of_a_mirror(server, tmp_path):
    with pytest.raises(ResourceError, match=r"cannot write .*: No such file"):
        download([server("good")], EXPECTED, tmp_path / "gone")
