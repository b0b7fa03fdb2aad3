"""A simulated sample beside the alert light curves of the Bright Transient Survey.

The log is that of the public survey, g and r of the primary fields every third night, over the days
of the real sample; redshifts, population and spectra are those of the preset ``ztf-dr2``. What is
kept is what alerts are: detections, of supernovae whose brightest one is brighter than 19.02 mag,
the faintest of the real ones.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

import chandelle as ch
from chandelle.core.rng import key_for
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.residuals import model_light_curves
from chandelle.products.schema import table_from_columns
from chandelle.simulate.logs.make import make_log
from chandelle.simulate.logs.settings import Program
from chandelle.simulate.logs.ztf import ZTF_LOG
from chandelle.simulate.settings import SampleSettings, load_preset
from real import bts

DETECTION, FAINTEST = 5.0, 19.02
PUBLIC_LOG = replace(ZTF_LOG, programs=(Program(bands=("ztfg", "ztfr"), interval_nights=3.0),))
FIRST_NIGHT, NIGHTS = 58200, 1225
"""Days of the real light curves: maxima from MJD 58242 to 59411."""
QUANTITIES = ("z", "x1", "c", "peak_snr", "detections")
_EDGES = np.arange(15.0, 21.01, 0.5)


def simulate_public(seed: int) -> ch.LightCurves:
    """Simulate light curves of the public survey, those with a spectrum."""
    log = make_log(replace(PUBLIC_LOG, first_night=FIRST_NIGHT), seed=seed, nights=NIGHTS)
    record = load_preset("ztf-dr2").record()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "public.parquet"
        log.write(path)
        survey = record["surveys"][0] | {"log": str(path), "nights": 0}
        settings = SampleSettings.of("bts-like", **record | {"surveys": [survey]})
        return ch.simulate_lightcurves(settings, seed=seed).lightcurves


def as_alerts(lcs: ch.LightCurves) -> ch.LightCurves:
    """Keep the detections, of supernovae that are brighter than the faintest of the real ones."""
    seen = lcs.select(lcs["flux"] >= DETECTION * lcs["flux_err"])
    brightest = pd.Series(seen["flux"]).groupby(seen["sn"].astype(str)).max()
    kept = brightest.index[ZP_NJY - 2.5 * np.log10(brightest) < FAINTEST]
    return seen.select_targets(np.isin(seen.targets["sn"].astype(str), kept))


def _magnitude(flux: NDArray) -> NDArray:
    return ZP_NJY - 2.5 * np.log10(np.maximum(flux, 1.0))


def errors_by_magnitude(lcs: ch.LightCurves, fits: ch.SaltFits) -> pd.DataFrame:
    """Stated error and scatter about the fit of detections, by band and half a magnitude.

    Parameters
    ----------
    lcs, fits : LightCurves, SaltFits
        Of the same supernovae; those with more than five degrees of freedom are used.

    Returns
    -------
    DataFrame
        Index band and magnitude (middle of the bin): number, stated (median of error over flux) and
        scatter (half the middle 68 % of flux over model minus 1).
    """
    epochs = lcs.table.to_pandas()
    epochs["model"] = model_light_curves(fits, lcs)
    fit = fits.to_pandas().loc[epochs["sn"]].reset_index(drop=True)
    phase = (epochs["mjd"] - fit["t0"]) / (1 + fit["z"])
    used = (fit["status"] == "ok") & (fit["ndof"] > 5) & phase.between(-10, 20)
    used &= epochs["flux"] >= DETECTION * epochs["flux_err"]
    epochs = epochs[used]
    epochs["mag"] = pd.cut(_magnitude(epochs["flux"]), _EDGES, labels=_EDGES[:-1] + 0.25)
    rows = {}
    for key, group in epochs.groupby(["band", "mag"], observed=True):
        if len(group) >= 40:
            low, high = (group["flux"] / group["model"] - 1).quantile([0.15866, 0.84134])
            stated = (group["flux_err"] / group["flux"]).median()
            rows[key] = (len(group), stated, 0.5 * (high - low))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["number", "stated", "scatter"])
    table.index = pd.MultiIndex.from_tuples(table.index, names=["band", "mag"])
    return table


def with_errors(lcs: ch.LightCurves, errors: pd.DataFrame, *, seed: int) -> ch.LightCurves:
    """Light curves that scatter, and state errors, as a table of `errors_by_magnitude` says."""
    columns = {name: lcs[name].copy() for name in lcs.table.column_names}
    noise = np.asarray(jax.random.normal(key_for(seed, "alerts"), (len(lcs),)))
    for band in errors.index.unique("band"):
        rows = lcs["band"].astype(str) == band
        table, flux = errors.loc[band], lcs["flux"][rows]
        mag, middle = _magnitude(flux), table.index.to_numpy(dtype=float)
        stated, scatter = (np.interp(mag, middle, table[name]) for name in ("stated", "scatter"))
        more = np.maximum((scatter * flux) ** 2 - lcs["flux_err"][rows] ** 2, 0.0)
        columns["flux"][rows] += np.sqrt(more) * noise[rows]
        columns["flux_err"][rows] = np.maximum(stated * flux, lcs["flux_err"][rows])
    return replace(lcs, table=table_from_columns(columns))


def quantities(lcs: ch.LightCurves) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit, cut as the ZTF DR2, and give `QUANTITIES` of those kept, and the counts of the cuts."""
    fits, flow = bts.fit_as_dr2(lcs)
    kept = fits.to_pandas()[flow.kept]
    snr = pd.Series(lcs["flux"] / lcs["flux_err"]).groupby(lcs["sn"].astype(str))
    kept["peak_snr"] = snr.max().loc[kept.index]
    kept["detections"] = snr.apply(lambda one: (one >= DETECTION).sum()).loc[kept.index]
    return kept, flow.to_pandas()


def detections_by_phase(lcs: ch.LightCurves) -> pd.Series:
    """Mean number of detections of a fitted supernova, by phase in steps of ten days."""
    fits = bts.fit_as_dr2(lcs)[0].to_pandas()
    epochs = lcs.table.to_pandas()
    fit = fits.loc[epochs["sn"]].reset_index(drop=True)
    good = (fits["status"] == "ok") & (fits["t0_err"] < 1)
    used = good.loc[epochs["sn"]].to_numpy() & (epochs["flux"] >= DETECTION * epochs["flux_err"])
    phase = ((epochs["mjd"] - fit["t0"]) / (1 + fit["z"]))[used]
    edges = np.arange(-20, 41, 10)
    counts = np.histogram(phase, edges)[0] / good.sum()
    return pd.Series(counts, index=pd.Index(edges[:-1], name="phase"))


def share_near_plane(lcs: ch.LightCurves) -> float:
    """Share of the supernovae within ten degrees of the plane of the Milky Way."""
    where = SkyCoord(lcs.targets["ra"], lcs.targets["dec"], unit="deg")
    return float(np.mean(np.abs(where.galactic.b.deg) < 10.0))
