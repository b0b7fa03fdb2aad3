"""Fit light curves on disk block by block, in memory that does not grow with their number."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.table import Table

from chandelle.compute.places import Place
from chandelle.core.errors import ChandelleError, InputError
from chandelle.core.paths import refuse_to_replace
from chandelle.core.precision import require_x64
from chandelle.lightcurve.derivative_columns import derivative_names
from chandelle.lightcurve.fits_file import BLOCK, write_fits
from chandelle.lightcurve.ingest.target_tables import targets_from
from chandelle.lightcurve.stage import Pair, Progress, config_of, fit_planned, plan_of
from chandelle.lightcurve.tasks import fit_on
from chandelle.physics.salt import SaltModel
from chandelle.products.blocks import lightcurve_blocks
from chandelle.products.joined import JoinedBlocks, join_blocks
from chandelle.products.passband import Passband
from chandelle.products.product import Origin
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets


def fit_salt_blocks(
    lcs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    on: Place | None = None,
    size: int = BLOCK,
    targets: Targets | str | Path | pd.DataFrame | Table | None = None,
    passbands: Mapping[str, Passband] | None = None,
    origin: Origin | None = None,
    model: str | SaltModel = "salt3-f22",
    bounds: Mapping[str, Pair] | None = None,
    priors: Mapping[str, Pair] | None = None,
    progress: Callable[[int, int], None] | None = None,
    unreadable: Callable[[str], None] | None = None,
    **settings: Any,
) -> dict[str, int]:
    """Fit SALT to a set of light curves that need not fit into memory.

    The file is what ``fit_salt(lcs, ...).write(out)`` would write: one row a target in the order of
    the targets, to the last bit with the CPU engine. In memory are one block with its fits, and of
    the others what the targets say. A set whose epochs do not lie in the order of its targets is
    first put in order in a temporary file beside `out`.

    Parameters
    ----------
    lcs : path, or sequence of paths
        Folder that `LightCurves.write` wrote; other formats are read by `read_lightcurves`. Several
        are fitted one after the other; each supernova is in one of them.
    out : str or Path
        Parquet file of `SaltFits`; whole when done, absent before.
    on : str or dask Client, optional
        Fit the blocks as tasks there, as `ch.run` takes it, and give the same file. Fits and
        receipts of the blocks are kept in a folder of its name with ``.run`` behind it, from
        which a second call goes on where the first was ended. A folder that cannot be opened
        raises, whatever `unreadable` says. Targets, passbands, origin, model,
        bounds and priors are then those that files and numbers can say.
    size : int
        Targets of a block.
    targets, passbands, origin
        As `read_lightcurves` takes them; targets for one folder alone.
    model, bounds, priors, progress
        As `fit_salt` takes them; arrays have one value for each target of the whole set.
    unreadable : callable, optional
        Told why one of several folders cannot be opened, which is then left out; by default that
        raises.
    **settings
        Any other setting of `fit_salt`.

    Returns
    -------
    dict of str to int
        How many fits ended with which status.

    Raises
    ------
    InputError
        If a setting or the light curves are unusable as a whole, a supernova is in two folders, or
        `out` lies in one that is read.

    Examples
    --------
    >>> import tempfile
    >>> import chandelle as ch
    >>> lcs = ch.simulate_lightcurves(seed=1, n={"ZTF": 3, "DEEP": 2}).lightcurves
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lcs.write(f"{folder}/lcs")
    ...     fit_salt_blocks(f"{folder}/lcs", f"{folder}/fits.parquet", size=2)
    ...     ch.SaltFits.read(f"{folder}/fits.parquet").table.equals(ch.fit_salt(lcs).table)
    {'ok': 5}
    True
    """
    require_x64()
    config = config_of("fit_salt_blocks", model=model, bounds=bounds, priors=priors, **settings)
    if on is not None:
        plain = {"targets": targets, "passbands": passbands or None, "origin": origin}
        refused = [name for name, value in plain.items() if value is not None]
        refused += [] if isinstance(model, str) else ["a loaded model"]
        refused += ["arrays of bounds"] if config.bounds.keys() != (bounds or {}).keys() else []
        refused += ["arrays of priors"] if config.priors.keys() != (priors or {}).keys() else []
        if refused:
            raise InputError(
                f"on={on!r}: tasks on other machines do not take {', '.join(refused)}; write the "
                "light curves with them in, and models as a folder (write_salt)"
            )
        return fit_on(on, lcs, Path(out), config, size=size, progress=progress)
    out, folders = Path(out), [lcs] if isinstance(lcs, str | Path) else list(lcs)
    refuse_to_replace(out, [*folders, targets] if isinstance(targets, str | Path) else folders)
    out.parent.mkdir(parents=True, exist_ok=True)
    how = {"size": size, "passbands": passbands, "origin": origin, "scratch": out.parent}
    known = None if targets is None else targets_from(targets)
    blocks = _open(folders, targets=known, unreadable=unreadable, **how)
    every = blocks.whole.targets
    plan = plan_of(config, every, model=model, bounds=bounds, priors=priors)
    whole, params = blocks.whole, plan.constraints.names
    names = derivative_names(whole, blocks.bands, params) if config.derivatives else {}
    report = Progress(progress, len(every))

    def fitted() -> Iterator[SaltFits]:
        first = 0
        for block in blocks:
            rows = first + np.arange(len(block.targets))
            first += len(rows)
            yield fit_planned(plan, block, rows, report=report)

    return write_fits(out, fitted(), names=names)


def _open(
    folders: Sequence[str | Path],
    *,
    targets: Targets | None,
    unreadable: Callable[[str], None] | None,
    **how: Any,
) -> JoinedBlocks:
    """Open one folder or several."""
    if not folders or (targets is not None and len(folders) > 1):
        raise InputError(
            f"expected a folder of light curves, or several without targets= of their own, got "
            f"{len(folders)}"
        )
    if unreadable is None or len(folders) == 1:
        return join_blocks([lightcurve_blocks(path, targets=targets, **how) for path in folders])
    opened, failures = [], []
    for path in folders:
        try:
            opened.append(lightcurve_blocks(path, targets=targets, **how))
        except ChandelleError as error:
            message = str(error)
            failures.append(message if str(path) in message else f"{path}: {message}")
    if not opened:
        raise InputError("no light curves to fit\n" + "\n".join(failures))
    for failure in failures:
        unreadable(failure)
    return join_blocks(opened)
