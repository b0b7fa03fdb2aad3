"""Downloads against a local server: right, wrong, cut, redirected, a page instead of the file."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

CONTENT = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER = "0" * 64
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


class Archive(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/file")
            self.end_headers()
            return
        if self.path == "/absent":
            self.send_error(404)
            return
        body = PAGE if self.path == "/login" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:1000] if self.path == "/cut" else body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Archive) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_right_hash(run, server, tmp_path):
    target = tmp_path / "new" / "file.bin"
    result = run("fetch", f"{server}/file", "--sha256", DIGEST.upper(), "-o", target)
    assert result.code == 0, result.err
    assert target.read_bytes() == CONTENT
    assert "1280000 bytes" in result.out


@pytest.mark.parametrize("source", ["file", "login", "cut", "absent", "away"])
def test_what_is_wrong_writes_nothing(run, server, tmp_path, source):
    target = tmp_path / "file.bin"
    expected = DIGEST if source == "cut" else OTHER
    result = run("fetch", f"{server}/{source}", "--sha256", expected, "-o", target)
    assert result.code in {1, 2}
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in result.err
    said = {
        "file": (OTHER, DIGEST),
        "login": ("web page", "login"),
        "cut": ("cut off",),
        "absent": ("404",),
        "away": ("example.invalid", "https"),
    }
    for words in said[source]:
        assert words in result.err


def test_an_older_file_stays_when_the_hash_is_wrong(run, server, tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"older")
    assert run("fetch", f"{server}/file", "--sha256", OTHER, "-o", target).code == 2
    assert target.read_bytes() == b"older"


def test_a_file_that_is_there_is_not_fetched_again(run, tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(CONTENT)
    nowhere = "http://127.0.0.1:9/file"
    assert run("fetch", nowhere, "--sha256", DIGEST, "-o", target).code == 0


def test_local_path(run, tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(CONTENT)
    target = tmp_path / "target.bin"
    assert run("fetch", source, "--sha256", DIGEST, "-o", target).code == 0
    assert target.read_bytes() == CONTENT
    missing = run("fetch", tmp_path / "none", "--sha256", DIGEST, "-o", tmp_path / "x")
    assert missing.code == 2
    assert "no such file" in missing.err


@pytest.mark.parametrize(
    "source", ["http://example.invalid/a", "ftp://example.invalid/a", "file:///etc/passwd"]
)
def test_addresses_that_are_not_https(run, tmp_path, source):
    result = run("fetch", source, "--sha256", DIGEST, "-o", tmp_path / "x")
    assert result.code == 2
    assert "expected https" in result.err


def test_nobody_answers(run, tmp_path):
    result = run("fetch", "http://127.0.0.1:9/a", "--sha256", DIGEST, "-o", tmp_path / "x")
    assert result.code == 1
    assert "no answer" in result.err


def test_hash_must_be_a_hash(run, tmp_path):
    result = run("fetch", "https://example.invalid/a", "--sha256", "abc", "-o", tmp_path / "x")
    assert result.code == 2
    assert "64 hexadecimal digits" in result.err
