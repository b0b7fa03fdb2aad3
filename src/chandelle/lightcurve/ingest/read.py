"""Read light curves of any kind: check each epoch, convert it to nJy, count what is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.core.paths import refuse_twice
from chandelle.lightcurve.ingest.bounded import is_archive
from chandelle.lightcurve.ingest.crossmatch import Duplicates, settle, warn_of_pairs
from chandelle.lightcurve.ingest.epochs import Policy, Raw, check_epochs
from chandelle.lightcurve.ingest.folders import read_table, read_tables, tables_in
from chandelle.lightcurve.ingest.lost import with_lost
from chandelle.lightcurve.ingest.overrides import override
from chandelle.lightcurve.ingest.releases import read_release
from chandelle.lightcurve.ingest.snana import VpecSign, WhichFiles, is_snana_text
from chandelle.lightcurve.ingest.snana_release import raw_snana_texts
from chandelle.lightcurve.ingest.systems import System
from chandelle.lightcurve.ingest.tables import TABLE_SUFFIXES, refuse_unsafe
from chandelle.lightcurve.ingest.target_tables import targets_from, targets_of_rows
from chandelle.lightcurve.ingest.times import TimeScale
from chandelle.products.joined import join_lightcurves
from chandelle.products.lightcurves import LightCurves
from chandelle.products.passband import Passband
from chandelle.products.passband_family import PassbandFamily
from chandelle.products.product import Origin
from chandelle.products.targets import Targets

Source = str | Path | pd.DataFrame | Table | pa.Table | LightCurves | Sequence[str | Path]
"""What light curves are read from."""


def read_lightcurves(
    source: Source,
    *,
    targets: Targets | str | Path | pd.DataFrame | Table | None = None,
    kcor: str | Path | None = None,
    header_override: str | Path | Sequence[str | Path] = (),
    snana_vpec: VpecSign = "velocity",
    snana_files: WhichFiles = "listed",
    passbands: Mapping[str, Passband | PassbandFamily] | None = None,
    bands: Mapping[str, str] | None = None,
    zpsys: str | Mapping[str, System] | None = None,
    time_scale: TimeScale | None = None,
    duplicates: Duplicates = "error",
    origin: Origin | None = None,
    strict: bool = False,
) -> LightCurves:
    """Read light curves, reject unusable epochs with a reason, and convert fluxes to nJy.

    Columns go by their usual names: target (`sn`, `name`, `target` ...), time (`mjd`, `time` ...),
    `band` or `filter`, `flux`, `fluxerr` or `flux_err`, `zp`, `zpsys` (AB where absent); or `mag`
    and `magerr` in place of fluxes. Epochs that look wrong but may be right are kept, flagged
    (zp_outlier, sign_suspect, baseline_offset) and named in a warning.

    Parameters
    ----------
    source : path, paths, DataFrame, Table, arrow table or LightCurves
        A folder that `LightCurves.write` wrote, or a list of such; a Parquet, CSV or ECSV file; a
        list or a folder of such files (a supernova a file); a flat DataFrame or one with the
        (target, observation) index; an astropy Table or QTable (fluxes with units are converted);
        SNANA text as files, folder or tar archive, SNANA FITS pairs (HEAD, PHOT); ZTF alert
        packets; light curves of the Bright Transient Survey (folder or tar archive); the folder of
        the ZTF DR2.
    targets : Targets, path, DataFrame or Table, optional
        Name, redshift, mwebv ... of each supernova. Its order is kept, a target without epochs
        stays, and epochs of others are refused. Without it the table's own columns or meta serve.
    kcor : path, optional
        SNANA calibration file of the passbands and zero points; needed for SNANA.
    header_override : path or paths, optional
        SNANA override files, whose values replace those of the targets.
    snana_vpec : {"velocity", "correction"}
        Sign of VPEC in SNANA headers: the velocity, positive when receding (today), or what is to
        be added (files of 2018 and before, Foundation DR1 for one).
    passbands : mapping, optional
        Passbands by name, beside those the package ships. A `PassbandFamily` (of
        `read_passband_family`) is one that depends on the position: the table then has columns
        `radius`, or `x_fp` and `y_fp`, and `sensor`, as the family asks, in its unit. Each epoch
        gets the member nearest to it, ``"megacam_g@12.5"``, in the column band, while a fit and
        its derivatives know all members as one filter. An epoch whose position is missing, or
        more than a thousandth of the range outside of the table, is rejected.
    bands : mapping, optional
        What the table's names of bands mean, ``{"g": "ztfg"}``; unambiguous ones are known.
    zpsys : str or mapping, optional
        System of all magnitudes ("ab", "vega"), or what names in the column zpsys mean: a spectrum
        of magnitude zero, its file, or ``{band: (standard, magnitude of the standard)}``.
    time_scale : {"utc", "tai", "tt", "tdb"}, optional
        Scale of the MJD; it is recorded, `Time` and dates with a zone are converted to it. By
        default what the table says, else UTC.
    duplicates : {"error", "keep", "merge"}
        What to do with a supernova that several surveys observed: refuse, make it one target a
        survey (``name_survey``), or one of all epochs.
    origin : {"simulated", "published", "real"}, optional
        Where the data come from; carried by every product made of them.
    strict : bool
        Raise if any epoch is rejected.

    Returns
    -------
    LightCurves
        Good epochs in nJy (so `zp` is that of 1 nJy), rejected ones counted in `.rejected`.

    Raises
    ------
    InputError
        If the source is unusable as a whole, mixes JD with MJD, has dates without a zone, or
        `strict` and an epoch is bad.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "name": ["a", "a"], "mjd": [59000.0, 59003.0], "band": ["ztfg", "ztfr"],
    ...     "flux": [100.0, float("nan")], "fluxerr": [5.0, 5.0], "zp": 25.0, "zpsys": "ab",
    ... })
    >>> lcs = read_lightcurves(frame, targets=pd.DataFrame({"name": ["a"], "z": [0.03]}))
    >>> len(lcs), lcs.rejected.to_pylist()
    (1, [{'sn': 'a', 'reason': 'flux_nan', 'count': 1}])
    """
    ready = {"passbands": passbands, "origin": origin}
    if isinstance(source, LightCurves) or is_product_folder(source):
        return _ready(source, targets=targets, **ready)
    folders = _product_folders(source)
    if folders:
        known = None if targets is None else targets_from(targets)
        sets = [_ready(folder, targets=known, **ready) for folder in folders]
        return join_lightcurves(sets, labels=folders, is_shared=targets is not None)
    how = {"kcor": kcor, "vpec": snana_vpec, "files": snana_files}
    raw = read_release(source, targets=targets, kcor=kcor, vpec=snana_vpec, bands=bands)
    if raw is None:
        raw = _read(source, snana=how, time_scale=time_scale)
        raw = raw if targets is None else replace(raw, targets=targets_from(targets))
    rows, known, facts = settle(raw.rows, raw.targets, duplicates)
    if known is None:
        known = targets_of_rows(rows, raw.extra, is_merged=duplicates == "merge")
    if header_override:
        known, facts["header_override"] = override(known, header_override)
    warn_of_pairs(known, label=rows.label)
    rows = replace(rows, facts={**rows.facts, **facts})
    policy = Policy(bands=bands, zpsys=zpsys, origin=origin, strict=strict)
    lcs = check_epochs(rows, known, {**raw.passbands, **(passbands or {})}, policy)
    return with_lost(lcs, raw.lost, strict=strict)


def _read(source: Any, *, snana: Mapping[str, Any], time_scale: TimeScale | None) -> Raw:
    """Read tables or SNANA text, whichever the source is."""
    if isinstance(source, pd.DataFrame | Table | pa.Table):
        return read_table(source, time_scale=time_scale)
    if isinstance(source, str | Path):
        path = Path(source)
        tables = tables_in(path) if path.is_dir() else []
        if tables:
            return read_tables(tables, label=str(source), time_scale=time_scale)
        if path.is_dir() or is_archive(path) or is_snana_text(path):
            return raw_snana_texts(source, label=str(source), **snana)
        return read_table(source, time_scale=time_scale, name=path.stem)
    if not isinstance(source, Sequence) or not all(isinstance(p, str | Path) for p in source):
        raise InputError(
            "light curves are read from a path, a list of paths, a DataFrame, an astropy or arrow "
            f"table, or LightCurves, got {type(source).__name__}"
        )
    return _read_list([Path(path) for path in source], snana=snana, scale=time_scale)


def _read_list(paths: list[Path], *, snana: Mapping[str, Any], scale: TimeScale | None) -> Raw:
    """Read a list of tables, or of SNANA texts."""
    if not paths:
        raise InputError("the list of light-curve files is empty; give one path or more")
    for path in paths:
        refuse_unsafe(path)
        if not path.exists():
            raise InputError(f"{path}: no such file")
    tables = [path for path in paths if path.suffix.lower() in TABLE_SUFFIXES]
    if tables and len(tables) < len(paths):
        other = next(path for path in paths if path not in tables)
        raise InputError(f"{other} is no table as {tables[0]} is; read the kinds apart")
    label = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} others"
    if tables:
        return read_tables(tables, label=label, time_scale=scale)
    return raw_snana_texts(paths, label=label, **snana)


def is_product_folder(source: Any) -> bool:
    """Tell whether it is the path of a folder that `LightCurves.write` wrote."""
    return isinstance(source, str | Path) and (Path(source) / "epochs.parquet").is_file()


def _product_folders(source: Any) -> list[str]:
    """Folders that `LightCurves.write` wrote in a list of them; none in a list of others."""
    paths = source if isinstance(source, Sequence) and not isinstance(source, str) else []
    folders = [str(path) for path in paths if is_product_folder(path)]
    if folders:
        others = [path for path in paths if not is_product_folder(path)]
        if others:
            raise InputError(
                f"{others[0]} is no folder of light curves that chandelle wrote, as {folders[0]} "
                "is; read the kinds apart"
            )
        refuse_twice(folders)
    return folders


def _ready(
    source: Any,
    *,
    targets: Any,
    passbands: Mapping[str, Passband | PassbandFamily] | None,
    origin: Origin | None,
) -> LightCurves:
    """Take light curves that were checked before."""
    plain = {n: p for n, p in (passbands or {}).items() if isinstance(p, Passband)}
    if len(plain) < len(passbands or {}):
        raise InputError(
            "these light curves were read before, with one passband a row; give a PassbandFamily "
            "when the table of epochs is read"
        )
    lcs = source if isinstance(source, LightCurves) else LightCurves.read(source)
    if targets is not None:
        lcs = replace(lcs, targets=targets_from(targets))
    if plain:
        lcs = replace(lcs, passbands={**lcs.passbands, **plain})
    if origin is not None:
        lcs = replace(lcs, meta=replace(lcs.meta, origin=origin))
    return lcs
