"""Ingest: a million epochs of 16 000 supernovae read, checked, converted; peers in the same run.

Run: python benchmarks/bench_ingest.py [rows]
Peers: sncosmo.photdata.PhotometricData, one table a supernova (a sample of them, scaled up), which
only finds columns and scales fluxes; and a pandas pass that does the least: masks of bad rows, a
conversion, duplicated(), a sort.
"""

import logging
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import sncosmo
from astropy.table import Table
from peers import register_passbands

from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.ingest import read_lightcurves

_N_SN = 16_000
_PEER_SN = 400
_REPEATS = 5


def make_frame(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw epochs with one bad row in a hundred, and their targets."""
    rng = np.random.default_rng(1)
    owner = np.sort(rng.integers(0, _N_SN, n))
    band = rng.integers(0, 3, n)
    mjd = rng.uniform(58000, 60000, n)
    peak = rng.uniform(58500, 59500, _N_SN)[owner]
    error = np.full(n, 10.0)
    flux = rng.normal(0.0, 10.0, n) + 300.0 * np.exp(-0.5 * ((mjd - peak) / 15.0) ** 2)
    bad = rng.random(n) < 0.01
    flux[bad & (rng.random(n) < 0.5)] = np.nan
    error[bad & np.isfinite(flux)] = -1.0
    names = np.array([f"ZTF{k:08d}" for k in range(_N_SN)], dtype=object)
    frame = pd.DataFrame(
        {
            "name": names[owner],
            "mjd": mjd,
            "band": np.array(["ztfg", "ztfr", "ztfi"], dtype=object)[band],
            "flux": flux,
            "fluxerr": error,
            "zp": 26.0 + rng.normal(0.0, 0.05, n),
            "zpsys": "ab",
        }
    )
    targets = pd.DataFrame(
        {"name": names, "z": rng.uniform(0.01, 0.1, _N_SN), "ra": rng.uniform(0, 360, _N_SN)}
    )
    return frame, targets.assign(dec=rng.uniform(-30, 80, _N_SN), mwebv=0.05)


def seconds(call: Callable[[], Any]) -> float:
    """Median CPU seconds."""
    times = []
    for _ in range(_REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return float(np.median(times))


def pandas_pass(frame: pd.DataFrame) -> pd.DataFrame:
    """Mask, convert, drop duplicates, sort: what a careful script does."""
    good = np.isfinite(frame["flux"]) & np.isfinite(frame["fluxerr"]) & (frame["fluxerr"] > 0)
    good &= np.isfinite(frame["mjd"]) & np.isfinite(frame["zp"])
    good &= frame["band"].isin(["ztfg", "ztfr", "ztfi"]) & (frame["zpsys"] == "ab")
    good &= ~frame.duplicated(["name", "mjd", "band", "flux", "fluxerr"])
    kept = frame[good]
    factor = 10 ** (-0.4 * (kept["zp"] - ZP_NJY))
    kept = kept.assign(flux=kept["flux"] * factor, fluxerr=kept["fluxerr"] * factor)
    return kept.sort_values(["name", "mjd"])


def sncosmo_pass(tables: list[Table]) -> None:
    """One table a supernova."""
    for table in tables:
        sncosmo.photdata.PhotometricData(table).normalized_flux(zp=ZP_NJY, zpsys="ab")


def main() -> None:
    """Time all three, and the memory of ours."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    register_passbands()
    logging.getLogger("chandelle").setLevel(logging.ERROR)
    frame, targets = make_frame(n)
    read_lightcurves(frame[:100], targets=targets)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lcs = read_lightcurves(frame, targets=targets)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours = seconds(lambda: read_lightcurves(frame, targets=targets))
    print(f"{n} rows, {_N_SN} supernovae, {len(lcs)} used")
    print(f"chandelle: {ours:.2f} CPU s, {n / ours:.3g} rows/s")
    print(f"  peak memory {peak / 1024:.0f} MB, {(peak - before) / 1024:.0f} MB above the table's")
    objects = frame.assign(**{k: frame[k].astype(object) for k in ("name", "band", "zpsys")})
    slow = seconds(lambda: read_lightcurves(objects, targets=targets))
    print(f"  names as Python objects: {slow:.2f} CPU s, {n / slow:.3g} rows/s")
    least = seconds(lambda: pandas_pass(frame))
    print(f"pandas, masks and sort only: {least:.2f} CPU s; ours takes {ours / least:.2f} of it")
    some = frame[frame["name"].isin(targets["name"][:_PEER_SN])]
    tables = [Table.from_pandas(group) for _, group in some.groupby("name")]
    rows = sum(len(table) for table in tables)
    peer = seconds(lambda: sncosmo_pass(tables)) * n / rows
    print(
        f"sncosmo {sncosmo.__version__}, tables made before: {peer:.1f} CPU s scaled from {rows} "
        f"rows, {n / peer:.3g} rows/s; {peer / ours:.1f} times ours"
    )


if __name__ == "__main__":
    main()
