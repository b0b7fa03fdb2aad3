"""Alert light curves of the ZTF Bright Transient Survey: every target a row, cuts with counts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import chandelle as ch
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.cutflow import CutFlow
from chandelle.lightcurve.cuts import apply_cuts
from chandelle.lightcurve.residuals import model_light_curves
from chandelle.products.schema import table_from_columns

DR2_PHASES = (-10.0, 40.0)
_GRID = np.arange(-15.0, 15.01, 0.25)


def read_bts(data: Path) -> ch.LightCurves:
    """Read the light curves with what the table of the survey says of them."""
    folder = data / "lightcurves" / "ztf_bts_snia"
    return ch.read_lightcurves(
        folder / "light-curves.tar.gz", targets=folder / "bts.csv.gz", origin="real"
    )


def fit_as_dr2(lcs: ch.LightCurves) -> tuple[ch.SaltFits, CutFlow]:
    """Fit within the phases of the ZTF DR2 and make its cuts; all fits, and the counts."""
    fits = ch.fit_salt(lcs, phase_range=DR2_PHASES)
    return fits, apply_cuts(fits, "dr2", lcs=lcs)[1]


def maxima(lcs: ch.LightCurves, fits: ch.SaltFits) -> pd.DataFrame:
    """Maximum of the fitted light curve in the band of the table's peak, beside that peak.

    The table's peak is the brightest detection. `peak_mag` and `peak_mjd` are its values, `mag` and
    `mjd` those of the fitted maximum, `mag_there` the fitted magnitude at the time of the table.
    """
    targets = lcs.targets.table.to_pandas().set_index("sn")
    good = fits.is_ok
    t0 = np.where(good, fits["t0"], 0.0)
    z = np.where(good, fits["z"], 0.0)
    peak_mjd = targets["peak_mjd"].to_numpy(dtype=float)
    mjd = np.column_stack([t0[:, None] + _GRID * (1 + z[:, None]), peak_mjd])
    n, width = mjd.shape
    columns = {
        "sn": np.repeat(fits["sn"].astype(str), width),
        "mjd": mjd.ravel(),
        "band": np.repeat(targets["peak_band"].to_numpy(dtype=str), width),
        "flux": np.ones(n * width),
        "flux_err": np.ones(n * width),
        "zp": np.full(n * width, ZP_NJY),
    }
    drawn = replace(lcs, table=table_from_columns(columns))
    flux = model_light_curves(fits, drawn).reshape(n, width)
    best = np.argmax(np.where(np.isfinite(flux[:, :-1]), flux[:, :-1], -1.0), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = ZP_NJY - 2.5 * np.log10(flux)
    out = targets[["peak_mag", "peak_mjd"]].copy()
    out["mag"], out["mjd"] = mag[np.arange(n), best], mjd[np.arange(n), best]
    out["mag_there"] = mag[:, -1]
    return out[good & np.isfinite(out["mag"])]
