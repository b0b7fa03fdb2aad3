"""SNANA simulations of Pantheon+ against their truth and against SNANA's own fits of them.

Foundation was simulated with PS1 passbands without offsets (kcor_PS1_none), DES with DECam; neither
kcor file of the simulation is in the release. The fits of SNANA are those of SIM_0001.FITRES.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import chandelle as ch
from chandelle.instrument.passbands import read_passband
from chandelle.lightcurve.ingest.snana_fits import find_pairs, read_snana_fits
from real.pantheonplus import add_mag_error, fit

IDS = {"Foundation": 150, "DES": 10}
_ERROR = {"PS1-g": 0.015, "PS1-r": 0.015, "PS1-i": 0.015}


def _folder(data: Path) -> Path:
    return data / "simulations" / "pantheonplus_snana_sims"


def read_simulation(survey: str, data: Path) -> ch.LightCurves:
    """Read the light curves of "Foundation" or "DES"; the truth (SIM_*) stands in the targets."""
    head = next(_folder(data).glob(f"*SIM{survey[:5].upper()}*_HEAD.FITS.gz"))
    if survey == "Foundation":
        kcor = data / "lightcurves" / "foundation_dr1" / "kcor_PS1_none.fits.gz"
        lcs = ch.read_lightcurves(head, kcor=kcor, origin="simulated")
        return add_mag_error(lcs, _ERROR)
    raw = read_snana_fits(find_pairs(head), label=head.name)
    folder = data / "bandpasses" / "decam_snana"
    passbands = {
        f"DES-{b}": read_passband(folder / f"DECam_{b}.dat", name=f"DES-{b}") for b in "griz"
    }
    epochs = pd.DataFrame({**raw.columns, "zp": 27.5, "zpsys": "ab"})
    epochs["band"] = "DES-" + epochs["band"].astype(str)
    return ch.read_lightcurves(epochs, targets=raw.targets, passbands=passbands, origin="simulated")


def read_fitres(survey: str, data: Path) -> pd.DataFrame:
    """Read SNANA's fits of a survey, indexed by name."""
    path = _folder(data) / "SIM_0001.FITRES.gz"
    table = pd.read_csv(path, sep=r"\s+", comment="#", dtype={"CID": str})
    return table[table["IDSURVEY"] == IDS[survey]].set_index("CID")


def compare(survey: str, data: Path, model: str) -> pd.DataFrame:
    """Fit the supernovae that SNANA kept; truth, FITRES and ours side by side.

    Parameters
    ----------
    survey : {"Foundation", "DES"}
        Which.
    data : Path
        Folder of the data.
    model : str
        Folder of SALT2-B21.

    Returns
    -------
    DataFrame
        ``x1 c mb t0`` with ``_fitres`` (theirs) and ``x1_true t0_true``, errors and status.
    """
    lcs, fitres = read_simulation(survey, data), read_fitres(survey, data)
    lcs = lcs.select_targets(np.isin(lcs.targets["sn"].astype(str), list(fitres.index)))
    truth = lcs.targets.table.to_pandas().set_index("sn")
    rows = fitres.loc[truth.index]
    if not np.allclose(rows["SIM_x1"], truth["SIM_SALT2x1"].astype(float), atol=1e-3):
        raise ValueError(f"{survey}: the FITRES file is of another realization")
    fits = fit(lcs, model)
    out = fits[["x1", "x1_err", "c", "c_err", "mb", "t0", "status"]].copy()
    for ours, theirs in (("x1", "x1"), ("c", "c"), ("mb", "mB"), ("t0", "PKMJD")):
        out[f"{ours}_fitres"] = rows[theirs]
    out["x1_err_fitres"], out["c_err_fitres"] = rows["x1ERR"], rows["cERR"]
    out["x1_true"], out["t0_true"] = rows["SIM_x1"], rows["SIM_PKMJD"]
    return out
