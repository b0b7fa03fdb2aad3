"""Light curves of many files as one set; a file that fails does not lose the others."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import track

from chandelle.core.errors import ChandelleError, InputError
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.targets import Targets


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
    joined: LightCurves | None = None
    failures: list[str] = []
    for file in track(files, "read", console=console, disable=hidden, transient=True):
        try:
            new = read_lightcurves(file, targets=targets, **how)
            joined = new if joined is None else join(joined, new, is_shared=targets is not None)
        except ChandelleError as error:
            message = str(error)
            failures.append(message if str(file) in message else f"{file}: {message}")
    if joined is None:
        raise InputError("no light curves to fit\n" + "\n".join(failures))
    return joined, failures


def join(first: LightCurves, second: LightCurves, *, is_shared: bool) -> LightCurves:
    """Join two sets of light curves.

    Parameters
    ----------
    first, second : LightCurves
        Their passbands of one name must be equal, and so must their origins.
    is_shared : bool
        Both have the same targets; otherwise no name may stand in both.

    Returns
    -------
    LightCurves
        The targets and epochs of `first`, then those of `second`.

    Raises
    ------
    InputError
        If names, passbands or origins conflict.
    """
    if first.meta.origin != second.meta.origin:
        raise InputError(
            f"origin {second.meta.origin} among files of origin {first.meta.origin}; fit them "
            "apart, or say what they are with --origin"
        )
    targets = first.targets
    if not is_shared:
        twice = np.intersect1d(targets["sn"].astype(str), second.targets["sn"].astype(str))
        if len(twice):
            raise InputError(f"{twice[0]} was in an earlier file too; name it apart or drop one")
        table = pa.concat_tables([targets.table, second.targets.table], promote_options="default")
        targets = Targets(table=table, meta=targets.meta)
    for name, band in second.passbands.items():
        if name in first.passbands and not _is_same(first.passbands[name], band):
            raise InputError(
                f"passband {name} differs from that of an earlier file; fit them apart"
            )
    return replace(
        first,
        table=pa.concat_tables([first.table, second.table], promote_options="default"),
        targets=targets,
        passbands={**first.passbands, **second.passbands},
        rejected=pa.concat_tables([first.rejected, second.rejected]),
    )


def _is_same(first: Passband, second: Passband) -> bool:
    return np.array_equal(first.wave, second.wave) and np.array_equal(
        first.transmission, second.transmission
    )
