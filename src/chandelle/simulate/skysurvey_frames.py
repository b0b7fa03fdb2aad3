"""Frames as skysurvey has them: a sample goes out, targets drawn there come in."""

import numpy as np
import pandas as pd

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.products.lightcurves import LightCurves
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets
from chandelle.simulate.truth import Truth

_TRUE = {"t0": "t0_true", "x0": "x0_true", "x1": "x1_true", "c": "c_true", "magobs": "mb_true"}
_NEEDED = ("z", "t0", "x0", "x1", "c", "ra", "dec")


def to_skysurvey(lightcurves: LightCurves, truth: Truth) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give light curves and targets as the data of a skysurvey DataSet.

    Parameters
    ----------
    lightcurves : LightCurves
        Of a simulation.
    truth : Truth
        Of the same sample.

    Returns
    -------
    data, targets : DataFrame
        `data` by (target, observation): mjd, band, flux, fluxerr, zp, zpsys. `targets` by target,
        in the order of those of the light curves: z, t0, x0, x1, c, magobs, magabs, ra, dec, mwebv.

    Raises
    ------
    InputError
        If a target has no truth.

    Examples
    --------
    >>> from chandelle.simulate.sample import simulate_lightcurves
    >>> sample = simulate_lightcurves(n={"ZTF": 1, "DEEP": 0})
    >>> data, targets = to_skysurvey(sample.lightcurves, sample.truth)
    >>> data.index.names, targets.index.tolist()
    (FrozenList(['target', 'observation']), ['ZTF000000'])
    """
    epochs = lightcurves.to_pandas()
    columns = {
        "mjd": epochs["mjd"],
        "band": epochs["band"].astype(str),
        "flux": epochs["flux"],
        "fluxerr": epochs["flux_err"],
        "zp": ZP_NJY,
        "zpsys": "ab",
    }
    number = epochs.groupby("sn", sort=False).cumcount()
    index = pd.MultiIndex.from_arrays([epochs["sn"], number], names=["target", "observation"])
    data = pd.DataFrame(columns).set_index(index)
    known = truth.to_pandas().set_index("sn")
    names = lightcurves.targets["sn"]
    missing = sorted(set(names) - set(known.index))
    if missing:
        raise InputError(f"{len(missing)} targets have no truth, first {missing[0]}")
    known = known.loc[names]
    targets = {name: known[column] for name, column in _TRUE.items()}
    targets["magabs"] = known["mb_true"] - known["mu_true"]
    targets["z"] = lightcurves.targets["z_hel"]
    targets |= {name: lightcurves.targets[name] for name in ("ra", "dec", "mwebv")}
    return data, pd.DataFrame(targets, index=pd.Index(names, name="target"))


def from_skysurvey(
    targets: pd.DataFrame, *, survey: str = "SN", prefix: str = "SN"
) -> tuple[Targets, Truth]:
    """Take targets that skysurvey has drawn, to be observed by `observe_targets`.

    Parameters
    ----------
    targets : DataFrame
        `targets.data` of skysurvey: z, t0, x0, x1, c, ra, dec, and mwebv and magobs where they are.
    survey : str
        Fills that column.
    prefix : str
        Begins the names of targets whose index is a number.

    Returns
    -------
    Targets, Truth
        One row a target, named by its index.

    Raises
    ------
    InputError
        If a column is missing, or a name stands twice.
    """
    missing = [name for name in _NEEDED if name not in targets]
    if missing:
        raise InputError(
            f"targets: no column {', '.join(missing)}; expected {', '.join(_NEEDED)}, found "
            f"{', '.join(map(str, targets.columns))}"
        )
    is_number = pd.api.types.is_integer_dtype(targets.index)
    names = [f"{prefix}{i:06d}" if is_number else str(i) for i in targets.index]
    if len(set(names)) < len(names):
        raise InputError("targets: names of the index must differ; reset the index")
    n, meta = len(targets), Meta(origin="simulated")

    def column(name: str) -> np.ndarray:
        if name not in targets:
            return np.full(n, np.nan)
        return np.asarray(targets[name], dtype=float)

    z = column("z")
    known = {"ra": column("ra"), "dec": column("dec"), "z_hel": z, "z_cmb": z, "z_hd": z}
    known |= {"z_err": np.zeros(n), "mwebv": np.nan_to_num(column("mwebv"))}
    words = {"sn": names, "survey": [survey] * n}
    true = {own: column(name) for name, own in _TRUE.items()} | {"z_cos_true": z}
    return (
        Targets(table=table_from_columns({**words, **known, "class": ["SN Ia"] * n}), meta=meta),
        Truth(table=table_from_columns({**words, **true}), meta=meta),
    )
