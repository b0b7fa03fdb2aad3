"""What a failure is taken for."""

import errno
import http.client
import socket
import urllib.error
from types import SimpleNamespace

import pytest

from chandelle.compute.failures import reason_of, stops_the_run
from chandelle.core.errors import InputError


def refused(code: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError(
        "https://archive/x.fits", code, "no", http.client.HTTPMessage(), None
    )


class RequestError(OSError):
    """As that of requests: of the system's kind, without a number."""


RequestError.__module__ = "requests.exceptions"


class RetryError(Exception):
    """As those of urllib3: of no kind of the system's."""


RetryError.__module__ = "urllib3.exceptions"


def answered(code: int) -> RequestError:
    error = RequestError(f"{code}")
    error.response = SimpleNamespace(status_code=code)
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError("name or service not known"), "transient"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "transient"),
        (http.client.IncompleteRead(b"half"), "transient"),
        (RequestError("read timed out"), "transient"),
        (RetryError("read timed out"), "transient"),
        (answered(502), "transient"),
        (answered(404), "data"),
        (http.client.InvalidURL("spaces"), "data"),
        (refused(503), "transient"),
        (refused(429), "transient"),
        (refused(404), "data"),
        (ConnectionResetError(), "transient"),
        (OSError(errno.ESTALE, "stale file handle"), "transient"),
        (OSError("Empty or corrupt FITS file"), "data"),
        (FileNotFoundError(errno.ENOENT, "not there", "/run/raw/a.fits"), "transient"),
        (FileNotFoundError(errno.ENOENT, "not there", "/run/raw/b.fits"), "data"),
        (MemoryError(), "memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), "memory"),
        (InputError("negative flux"), "data"),
        (KeyError("flux"), "data"),
        (TypeError("no"), "program"),
        (RuntimeError("no"), "program"),
    ],
)
def test_what_would_come_again_is_told_from_what_may_pass(error, reason):
    assert reason_of(error, {"/run/raw/a.fits"}) == reason


def test_a_full_disk_of_one_node_does_not_end_the_run(tmp_path, monkeypatch):
    ours, scratch = str(tmp_path / "out" / "a"), "/scratch/node17/a"
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        assert stops_the_run(OSError(number, "no", ours), tmp_path)
        assert not stops_the_run(OSError(number, "no", scratch), tmp_path)
        assert reason_of(OSError(number, "no", scratch)) == "transient"
    for free, ends in ((2**40, False), (10, True)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda _, found=usage: found)
        assert stops_the_run(OSError(errno.ENOSPC, "no"), tmp_path) is ends
    assert not stops_the_run(ValueError("no"), tmp_path)


def test_a_folder_that_may_not_be_written_ends_the_run(tmp_path, monkeypatch):
    error = PermissionError(errno.EACCES, "no", str(tmp_path / "out" / "a"))
    assert not stops_the_run(PermissionError(errno.EACCES, "no", "/elsewhere/a"), tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert stops_the_run(error, tmp_path)
    assert not stops_the_run(PermissionError(errno.EACCES, "no", "/elsewhere/a"), tmp_path)
