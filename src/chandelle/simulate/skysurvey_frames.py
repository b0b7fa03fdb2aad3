"""Frames as skysurvey has them: a sample goes out, targets drawn there come in."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import ZP_NJY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import load_salt, peak_magnitude_offset
from chandelle.products.lightcurves import LightCurves
from chandelle.products.product import Meta
from chandelle.products.schema import table_from_columns
from chandelle.products.targets import Targets
from chandelle.simulate.curves import SaltSample, true_fluxes
from chandelle.simulate.truth import Truth

Floats = NDArray[np.float64]
_TRUE = {"t0": "t0_true", "x0": "x0_true", "x1": "x1_true", "c": "c_true"}
_NEEDED = ("z", "t0", "x1", "c", "ra", "dec")
_ABOUT_PEAK = np.linspace(-8.0, 8.0, 161)
"""Phases [d] among which the maximum is; 0.05 d from it the flux is 1e-5 below."""


def to_skysurvey(
    lightcurves: LightCurves, truth: Truth, *, model: str | Path = "salt3-f22"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give light curves and targets as the data of a skysurvey DataSet.

    Parameters
    ----------
    lightcurves : LightCurves
        Of a simulation.
    truth : Truth
        Of the same sample.
    model : str or Path
        SALT model that x0 is of, as `load_salt` takes it.

    Returns
    -------
    data, targets : DataFrame
        `data` by (index, index_obs), the names that skysurvey groups by: mjd, band, flux, fluxerr,
        zp, zpsys. `targets` by index, in the order of those of the light curves: z, t0, x0, x1, c,
        magobs, magabs, ra, dec, mwebv. `magobs` is the AB magnitude in rest-frame Bessell B at the
        maximum of that x1 and c, `magabs` that at 10 pc by the true distance modulus. skysurvey
        sets its amplitudes by `magabs` and a distance of its own, at the redshift z: what it
        simulates anew is fainter or brighter by the difference of the two.

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
    (FrozenList(['index', 'index_obs']), ['ZTF000000'])
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
    index = pd.MultiIndex.from_arrays([epochs["sn"], number], names=["index", "index_obs"])
    data = pd.DataFrame(columns).set_index(index)
    known = truth.to_pandas().set_index("sn")
    names = lightcurves.targets["sn"]
    missing = sorted(set(names) - set(known.index))
    if missing:
        raise InputError(f"{len(missing)} targets have no truth, first {missing[0]}")
    known = known.loc[names]
    targets = {name: known[column] for name, column in _TRUE.items()}
    x1, c = (np.asarray(known[name], dtype=float) for name in ("x1_true", "c_true"))
    targets["magobs"] = _brightest(x1, c, model) - 2.5 * np.log10(known["x0_true"])
    targets["magabs"] = targets["magobs"] - known["mu_true"]
    targets["z"] = lightcurves.targets["z_hel"]
    targets |= {name: lightcurves.targets[name] for name in ("ra", "dec", "mwebv")}
    return data, pd.DataFrame(targets, index=pd.Index(names, name="index"))


def from_skysurvey(
    targets: pd.DataFrame,
    *,
    survey: str = "SN",
    prefix: str = "SN",
    model: str | Path = "salt3-f22",
) -> tuple[Targets, Truth]:
    """Take targets that skysurvey has drawn, to be observed by `observe_targets`.

    Parameters
    ----------
    targets : DataFrame
        `targets.data` of skysurvey: z, t0, x1, c, ra, dec, x0 or magobs, and mwebv where it is.
    survey : str
        Fills that column.
    prefix : str
        Begins the names of targets whose index is a number.
    model : str or Path
        SALT model of the targets, as `load_salt` takes it.

    Returns
    -------
    Targets, Truth
        One row a target, named by its index. Where there is no x0 it is that of `magobs`, which
        skysurvey means as the magnitude at maximum in rest-frame Bessell B.

    Raises
    ------
    InputError
        If a column is missing, or a name stands twice.
    """
    missing = [name for name in _NEEDED if name not in targets]
    missing += ["x0 or magobs"] if not {"x0", "magobs"} & set(targets.columns) else []
    if missing:
        raise InputError(
            f"targets: no column {', '.join(missing)}; expected {', '.join(_NEEDED)} and x0 or "
            f"magobs, found {', '.join(map(str, targets.columns))}"
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
    if "x0" not in targets:
        fainter = column("magobs") - _brightest(true["x1_true"], true["c_true"], model)
        true["x0_true"] = 10.0 ** (-0.4 * fainter)
    true["mb_true"] = peak_magnitude_offset(load_salt(model)) - 2.5 * np.log10(true["x0_true"])
    return (
        Targets(table=table_from_columns({**words, **known, "class": ["SN Ia"] * n}), meta=meta),
        Truth(table=table_from_columns({**words, **true}), meta=meta),
    )


def _brightest(x1: Floats, c: Floats, model: str | Path) -> Floats:
    """Magnitude at maximum for x0 = 1, in rest-frame Bessell B, shape (sn,) [AB mag]."""
    n, none = len(x1), np.zeros(len(x1))
    flux = true_fluxes(
        load_salt(model),
        [load_passband("bessellb")],
        SaltSample(z=none, t0=none, x0=np.ones(n), x1=x1, c=c, mwebv=none),
        mjd=np.tile(_ABOUT_PEAK, n),
        band=np.zeros(n * len(_ABOUT_PEAK), dtype=np.int64),
        first=np.arange(n + 1) * len(_ABOUT_PEAK),
    )
    return ZP_NJY - 2.5 * np.log10(flux.reshape(n, -1).max(axis=1))
