"""Light-curve fits per second, against sncosmo on the same supernovae in the same process.

Run: python benchmarks/bench_lightcurve.py [number of supernovae] [number fitted by sncosmo]
Compilation is timed apart; times are CPU seconds of this process, wall-clock in brackets.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pandas as pd
import sncosmo
from astropy.table import Table
from peers import light_curve_helpers, register_passbands

from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt

_NAMES = ["t0", "x0", "x1", "c"]


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def _sncosmo_fits(
    model: sncosmo.Model, epochs: pd.DataFrame, targets: pd.DataFrame
) -> pd.DataFrame:
    """Parameters and chi2 of sncosmo's fits, each from its own guess."""
    rows = {}
    for target in targets.itertuples():
        own = epochs[epochs.sn == target.sn]
        model.set(z=target.z, mwebv=target.mwebv)
        table = Table.from_pandas(own[["mjd", "band", "flux", "flux_err", "zp", "zpsys"]])
        result, _ = sncosmo.fit_lc(table, model, _NAMES, warn=False)
        values = dict(zip(result.param_names, result.parameters, strict=True))
        rows[target.sn] = {name: values[name] for name in _NAMES} | {"chi2": result.chisq}
    return pd.DataFrame.from_dict(rows, orient="index")


def _print_first_run(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """How far sncosmo stops from the minimum, in our errors."""
    ours = ours.loc[theirs.index]
    moves = pd.DataFrame({n: (ours[n] - theirs[n]) / ours[f"{n}_err"] for n in _NAMES})
    print("sncosmo from its own guess, difference in sigma:")
    print(moves.agg(["median", "std", lambda x: x.abs().max()]).round(4).to_string())
    print(f"  chi2 ours - theirs {(ours['chi2'] - theirs['chi2']).max():.1e} at most")


def main() -> None:
    """Draw supernovae, fit them with both codes, print times and their ratio."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    n_peer = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    helpers = light_curve_helpers()
    register_passbands()
    model = helpers.sncosmo_salt3()
    epochs, targets = helpers.draw_sample(model, n, seed=11)
    print(f"{n} supernovae, {len(epochs) / n:.0f} epochs each, 3 or 4 bands; jax {jax.__version__}")

    lcs, cpu, wall = _timed(lambda: read_lightcurves(epochs, targets=targets))
    print(f"ingest                 {cpu:8.2f} s ({wall:.2f})")
    few = lcs.select_targets(np.arange(1))
    _, cpu, wall = _timed(lambda: fit_salt(few))
    print(f"first fit, cold        {cpu:8.2f} s ({wall:.2f})")
    _, cpu, wall = _timed(lambda: fit_salt(few))
    print(f"one fit, warm          {cpu:8.2f} s ({wall:.2f})")
    compared = lcs.select_targets(np.arange(min(n_peer, n)))
    # As sncosmo: every epoch counts.
    exact = fit_salt(compared, phase_range=None).to_pandas()
    for model_cov in (False, True):
        what = "with model covariance" if model_cov else "diagonal errors"
        _, cold, wall_cold = _timed(lambda cov=model_cov: fit_salt(lcs, model_cov=cov))
        fits, cpu, wall = _timed(lambda cov=model_cov: fit_salt(lcs, model_cov=cov))
        print(
            f"all, {what}: cold {cold:.2f} s ({wall_cold:.2f}), warm {cpu:.2f} s ({wall:.2f}), "
            f"{1e3 * cpu / n:.2f} ms a fit, {n / cpu:.0f} fits/s, {fits.is_ok.sum()} ok"
        )
        if not model_cov:
            ours = cpu / n
    some = targets[: min(n_peer, n)]
    theirs, cpu, wall = _timed(lambda: _sncosmo_fits(model, epochs, some))
    peer = cpu / len(some)
    print(f"sncosmo {sncosmo.__version__}: {1e3 * peer:.1f} ms a fit; ratio {peer / ours:.0f}")
    _print_first_run(exact, theirs)


if __name__ == "__main__":
    main()
