"""Light-curve fits per CPU second, against sncosmo and saltjax in the same process.

Run: python benchmarks/bench_lightcurve.py [--number 2000] [--sncosmo 100] [--repeats 5]
Each time is the median of the repeats, in CPU seconds of this process, after a first run that
compiles; sncosmo fits some of the supernovae, from all over the sample. All fit the same epochs, 60
a supernova, all within their phases.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import saltjax
import sncosmo
from astropy.table import Table
from peers import light_curve_helpers, register_passbands

import chandelle as ch
from chandelle.instrument.salt_files import read_salt, write_salt

NAMES = ["t0", "x0", "x1", "c"]
POINTS = 60
ASKED = {
    ("sncosmo", False): "asked 300, aim 400",
    ("saltjax", False): "asked 15, aim 20",
    ("saltjax", True): "asked 15",
}


def cpu_seconds(work: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """Last result, and the median CPU time of a call; the range is printed of several."""
    times, result = [], None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    if repeats > 1:
        print(f"    [{repeats} times, {min(times):.3g} to {max(times):.3g} CPU s]")
    return result, statistics.median(times)


def sncosmo_fits(
    model: sncosmo.Model, epochs: pd.DataFrame, targets: pd.DataFrame, *, model_cov: bool
) -> pd.DataFrame:
    """Parameters and chi2 of sncosmo's fits, each from its own guess."""
    rows = {}
    for target in targets.itertuples():
        own = epochs[epochs.sn == target.sn]
        model.set(z=target.z, mwebv=target.mwebv)
        table = Table.from_pandas(own[["mjd", "band", "flux", "flux_err", "zp", "zpsys"]])
        result, _ = sncosmo.fit_lc(table, model, NAMES, warn=False, modelcov=model_cov)
        values = dict(zip(result.param_names, result.parameters, strict=True))
        rows[target.sn] = {name: values[name] for name in NAMES} | {"chi2": result.chisq}
    return pd.DataFrame.from_dict(rows, orient="index")


class Saltjax:
    """saltjax on the same supernovae: its frames, its own guess."""

    def __init__(self, epochs: pd.DataFrame, targets: pd.DataFrame, folder: Path) -> None:
        write_salt(read_salt("salt3-f22"), folder)
        frame = epochs.rename(columns={"flux_err": "fluxerr"})
        frame["observation"] = frame.groupby("sn").cumcount()
        self.epochs = frame.set_index(["sn", "observation"])
        self.targets = targets.set_index("sn")
        self.targets["mwr_v"] = 3.1
        self.folder, self.source = str(folder), sncosmo.SALT3Source(modeldir=str(folder))

    def fit(self, *, model_cov: bool) -> pd.DataFrame:
        """Fit all supernovae."""
        return saltjax.fit_salt(
            self.epochs,
            self.targets,
            modelcov=model_cov,
            phase_range=None,
            source=self.source,
            modeldir=self.folder,
            effects=[sncosmo.F99Dust()],
            effect_names=["mw"],
            effect_frames=["obs"],
        )


def print_differences(about: str, ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Print how far another code's answers lie from ours, in our errors."""
    both = ours[ours["status"] == "ok"].index.intersection(theirs.index)
    ours, theirs = ours.loc[both], theirs.loc[both]
    parts = []
    for name in NAMES:
        off = ((theirs[name] - ours[name]) / ours[f"{name}_err"]).abs()
        parts.append(f"{name} {off.median():.1e} ({off.quantile(0.99):.1e})")
    print(f"  {about} minus ours of {len(both)}, sigma, median (99 %): {', '.join(parts)}")
    print(f"    chi2 ours - theirs at most {(ours['chi2'] - theirs['chi2']).max():.1e}")


def print_ratio(peer: str, seconds: float, ours: float, *, model_cov: bool) -> None:
    """Print the time of a fit and its ratio to ours, beside what was asked."""
    asked = ASKED.get((peer, model_cov))
    limit = f" ({asked})" if asked else ""
    print(f"  {peer}: {1e3 * seconds:.2f} ms a fit, ratio {seconds / ours:.0f}{limit}")


def print_derivatives(lcs: ch.LightCurves, *, model_cov: bool) -> None:
    """Print what the derivatives by zero points and passband shifts add to a fit."""

    def fit(*, derivatives: bool) -> ch.SaltFits:
        how = {"model_cov": model_cov, "derivatives": derivatives, "phase_range": None}
        return ch.fit_salt(lcs, **how)

    _, first = cpu_seconds(lambda: fit(derivatives=True))
    _, plain = cpu_seconds(lambda: fit(derivatives=False))
    start = time.perf_counter()
    _, seconds = cpu_seconds(lambda: fit(derivatives=True))
    wall = time.perf_counter() - start
    each = 1e3 * (seconds - plain) / len(lcs.targets)
    print(f"  derivatives: {each:.2f} ms more a fit, {wall:.1f} s wall in all, first {first:.1f} s")


def main() -> None:
    """Draw supernovae, fit them with the three codes, print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=2000, help="supernovae")
    parser.add_argument("--sncosmo", type=int, default=100, help="how many of them sncosmo fits")
    parser.add_argument("--repeats", type=int, default=5, help="of which the median is taken")
    args = parser.parse_args()
    helpers = light_curve_helpers()
    register_passbands()
    model = helpers.sncosmo_salt3()
    epochs, targets = helpers.draw_sample(model, args.number, seed=11, points=POINTS)
    per_fit = len(epochs) / args.number
    print(f"{args.number} supernovae, {per_fit:.0f} epochs each, 3 or 4 bands")
    print(f"jax {jax.__version__}, sncosmo {sncosmo.__version__}, saltjax {saltjax.__version__}")

    lcs, seconds = cpu_seconds(lambda: ch.read_lightcurves(epochs, targets=targets))
    print(f"ingest {seconds:.2f} s")
    one = lcs.select_targets(np.arange(1))
    _, seconds = cpu_seconds(lambda: ch.fit_salt(one))
    print(f"first fit, compiling {seconds:.1f} s")
    _, seconds = cpu_seconds(lambda: ch.fit_salt(one), 20)
    print(f"batch of one {1e3 * seconds:.1f} ms (asked 5)")
    with tempfile.TemporaryDirectory() as folder:
        peer = Saltjax(epochs, targets, Path(folder))
        for model_cov in (False, True):
            compare(lcs, model, epochs, targets, peer, args, model_cov=model_cov)


def compare(
    lcs: ch.LightCurves,
    model: sncosmo.Model,
    epochs: pd.DataFrame,
    targets: pd.DataFrame,
    peer: Saltjax,
    args: argparse.Namespace,
    *,
    model_cov: bool,
) -> None:
    """Fit with the three codes and print."""
    print("with model covariance" if model_cov else "diagonal errors")
    n = args.number

    def fit() -> ch.SaltFits:
        return ch.fit_salt(lcs, model_cov=model_cov, phase_range=None)

    fit()
    fits, seconds = cpu_seconds(fit, args.repeats)
    ours = seconds / n
    print(f"  chandelle: {1e3 * ours:.3f} ms a fit, {1 / ours:.0f} fits/s, {fits.is_ok.sum()} ok")
    table = fits.to_pandas()
    print_derivatives(lcs, model_cov=model_cov)
    peer.fit(model_cov=model_cov)
    found, seconds = cpu_seconds(lambda: peer.fit(model_cov=model_cov), args.repeats)
    print_ratio("saltjax", seconds / n, ours, model_cov=model_cov)
    print_differences("saltjax", table, found)
    few = targets[:: max(n // args.sncosmo, 1)]
    found, seconds = cpu_seconds(
        lambda: sncosmo_fits(model, epochs, few, model_cov=model_cov), args.repeats
    )
    print_ratio("sncosmo", seconds / len(few), ours, model_cov=model_cov)
    print_differences("sncosmo", table, found)


if __name__ == "__main__":
    main()
