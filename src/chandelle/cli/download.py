"""Download with three doubts: is it whole, is it the file, is it a web page instead of the file."""

import hashlib
import re
import shutil
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chandelle.core.atomic import atomic_file
from chandelle.core.errors import ChandelleError, InputError
from chandelle.core.provenance import sha256_file

_CHUNK = 1 << 20
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_PAGE = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)
_PAGE_SUFFIXES = {".html", ".htm"}


def fetch_file(
    source: str, output: Path, *, sha256: str, allow_http: bool = False, timeout_s: float = 60.0
) -> int:
    """Copy or download one file; nothing appears at `output` unless the hash fits.

    Parameters
    ----------
    source : str
        ``https://...``, ``http://localhost...`` or a path.
    output : Path
        Where the file goes.
    sha256 : str
        Expected hash, hexadecimal.
    allow_http : bool
        Also take unencrypted addresses of other hosts.
    timeout_s : float, s
        Longest silence of the server.

    Returns
    -------
    int
        Size in bytes.

    Raises
    ------
    InputError
        If the address, the hash or the file is not what it should be.
    ChandelleError
        If the server does not answer, or stops in the middle.
    """
    expected = sha256.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise InputError(f"--sha256 must be 64 hexadecimal digits, got {sha256!r}")
    if output.is_dir():
        raise InputError(f"{output} is a folder; give the name of the file to write")
    if output.is_file() and sha256_file(output) == expected:
        return output.stat().st_size
    with atomic_file(output) as temporary:
        if "://" in source:
            _check_address(source, allow_http=allow_http)
            _download(source, temporary, allow_http=allow_http, timeout_s=timeout_s)
        else:
            _copy(Path(source), temporary)
        _verify(temporary, expected, source=source, output=output)
    return output.stat().st_size


def _check_address(address: str, *, allow_http: bool) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and (allow_http or parts.hostname in _LOCAL):
        return
    raise InputError(f"{address}: expected https (or a path); --allow-http permits plain http")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Hold every redirection to the rule of the first address."""

    def __init__(self, *, allow_http: bool) -> None:
        self.allow_http = allow_http

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Follow only where the address is allowed."""
        _check_address(newurl, allow_http=self.allow_http)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(address: str, path: Path, *, allow_http: bool, timeout_s: float) -> None:
    opener = urllib.request.build_opener(_CheckedRedirects(allow_http=allow_http))
    try:
        with opener.open(address, timeout=timeout_s) as answer, path.open("wb") as file:
            shutil.copyfileobj(answer, file, _CHUNK)
            announced = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        error.close()
        raise ChandelleError(
            f"{address}: the server answered {error.code} {error.reason}"
        ) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ChandelleError(f"{address}: no answer, or cut off: {reason}") from error
    found = path.stat().st_size
    if announced is not None and found != int(announced):
        raise ChandelleError(f"{address}: cut off after {found} of {announced} bytes; fetch again")


def _copy(source: Path, path: Path) -> None:
    if not source.is_file():
        raise InputError(f"{source}: no such file; give an https address or a path")
    shutil.copyfile(source, path)


def _verify(path: Path, expected: str, *, source: str, output: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        start = file.read(512)
    if found == expected:
        return
    if _PAGE.match(start) and output.suffix.lower() not in _PAGE_SUFFIXES:
        raise InputError(
            f"{source}: a web page came instead of the file (a login, or an error page): "
            f"expected SHA-256 {expected}, found {found}"
        )
    raise InputError(
        f"{source}: expected SHA-256 {expected}, found {found}; nothing was written. Is the "
        "hash that of this version of the file?"
    )
