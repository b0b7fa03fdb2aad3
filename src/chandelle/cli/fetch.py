"""``chandelle fetch``: a file from an address or a path, kept only if its hash is the one asked."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chandelle.cli.console import say, step


def fetch(
    source: str,
    /,
    *,
    sha256: str,
    output: Annotated[Path, Parameter(alias="-o")],
    allow_http: bool = False,
    timeout_s: float = 60.0,
) -> None:
    """Fetch a file and verify its SHA-256 before it gets its name.

    Parameters
    ----------
    source
        https address, or path of a local file.
    sha256
        Expected hash, 64 hexadecimal digits.
    output
        Where the file goes.
    allow_http
        Also take unencrypted addresses.
    timeout_s
        Give up after so many seconds without an answer.
    """
    from chandelle.cli.download import fetch_file

    with step(f"fetch {source}"):
        size = fetch_file(source, output, sha256=sha256, allow_http=allow_http, timeout_s=timeout_s)
    say(f"{output}: {size} bytes, SHA-256 as expected")
