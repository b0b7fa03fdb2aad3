"""Light curves of many files as one set; a file that fails does not lose the others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from chandelle.core.errors import ChandelleError, InputError
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.products.joined import Joining
from chandelle.products.lightcurves import LightCurves


def gather_lightcurves(
    files: Sequence[Path],
    *,
    targets: Path | None = None,
    **how: Any,
) -> tuple[LightCurves, list[str]]:
    """Read files one by one and join what could be read.

    Parameters
    ----------
    files : sequence of Path
        Anything `read_lightcurves` reads.
    targets, **how
        As `read_lightcurves` takes them. With `targets`, epochs of one supernova may be spread
        over several files; without, a name that comes again is refused with its file.

    Returns
    -------
    LightCurves
        All targets, in the order of the files.
    list of str
        Why each failed file was left out.

    Raises
    ------
    InputError
        If nothing could be read.
    """
    console = Console(stderr=True, emoji=False)
    hidden = not console.is_terminal or len(files) < 2
    joining = Joining(is_shared=targets is not None)
    failures: list[str] = []
    for file in track(files, "read", console=console, disable=hidden, transient=True):
        try:
            joining.add(read_lightcurves(file, targets=targets, **how), label=str(file))
        except ChandelleError as error:
            message = str(error)
            failures.append(message if str(file) in message else f"{file}: {message}")
    if not joining:
        raise InputError("no light curves to fit\n" + "\n".join(failures))
    return joining.joined(), failures
