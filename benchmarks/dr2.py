"""The ZTF SN Ia DR2 from light curves to the stretch law, beside what its papers found.

Run: make dr2, or python benchmarks/dr2.py [--model MODEL] [--directory ztfsniadr2] [--check]
Reads the tree of $ZTFCOSMODIR, fits, applies the DR2 cuts one by one with counts, and fits alpha,
beta, the environment step and the broken stretch law together. Says so where the tree is absent.
--check fits drawn samples instead, to show that the likelihood returns what went in.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.stats import norm
from stretch_law import draw, fit_stretch_law

import chandelle as ch
from chandelle.core.units import C_KM_S

jax.config.update("jax_enable_x64", True)

Z_MAX = 0.06
"""The sample is limited in volume below."""
COLOR_STEP = 1.0
"""Local color g - z [mag] at which the environment changes."""
SIGMA_V_KM_S = 300.0
PUBLISHED = {
    "linear": {
        "alpha_low": (0.161, 0.010),
        "beta": (3.057, 0.054),
        "step": (0.141, 0.022),
    },
    "broken": {
        "alpha_low": (0.269, np.nan),
        "alpha_high": (0.079, np.nan),
        "x1_break": (-0.478, 0.078),
        "beta": (3.268, np.nan),
        "step": (0.165, np.nan),
    },
}
"""Ginolin et al. 2025, on 925 supernovae of the volume-limited sample."""


def main() -> None:
    """Read, fit, cut, standardize, print."""
    parser = argparse.ArgumentParser(description="The ZTF SN Ia DR2 from light curves to slopes.")
    parser.add_argument("--directory", default=os.environ.get("ZTFCOSMODIR"))
    parser.add_argument("--model", default="salt3-f22", help="name or folder of a SALT model")
    parser.add_argument("--check", action="store_true", help="fit drawn samples instead")
    options = parser.parse_args()
    if options.check:
        check()
        return
    if not options.directory or not Path(options.directory).is_dir():
        where = options.directory or "$ZTFCOSMODIR is not set"
        print(f"no ZTF DR2 tree ({where}): nothing measured")
        return
    measure(options.directory, options.model)


def check() -> None:
    """Fit four drawn samples of the published size."""
    for seed in range(4):
        show(fit_stretch_law(draw(925, seed)), "broken", f"drawn sample {seed}, true values beside")


def measure(directory: str, model: str) -> None:
    """Run on the real tree."""
    # Not at the top: where the tree is absent, nothing else is needed.
    from chandelle.lightcurve import cuts
    from chandelle.lightcurve.ingest import read_ztf_dr2

    start = time.process_time()
    lcs = read_ztf_dr2(directory)
    read = time.process_time() - start
    print(f"{len(lcs.targets)} supernovae, {len(lcs)} epochs; left out:")
    print(lcs.rejected.to_pandas().groupby("reason")["count"].sum().to_string())
    fits = ch.fit_salt(lcs, model=model, model_cov=True, dust="ccm89", phase_range=(-10.0, 40.0))
    print(f"CPU: read {read:.1f} s, fit {time.process_time() - start - read:.1f} s")
    compare_fits(fits.to_pandas(), lcs.targets.to_pandas())
    selected, flow = cuts.apply_cuts(fits, "dr2", lcs=lcs)
    print(flow)
    targets = lcs.targets.to_pandas().set_index("sn").loc[selected["sn"]]
    near = selected["z_hd"] < Z_MAX
    normal = targets["class"].to_numpy() == "snia-cosmo"
    known = np.isfinite(targets["local_color"].to_numpy(dtype=float))
    print(f"z < {Z_MAX}: {near.sum()}; and not peculiar: {(near & normal).sum()}; ", end="")
    keep = near & normal & known
    print(f"and local color known: {keep.sum()}")
    data = columns_of(selected.select(keep), targets[keep])
    show(fit_stretch_law(data, linear=True), "linear", "one slope, published beside")
    show(fit_stretch_law(data), "broken", "broken slope, published beside")


def compare_fits(fits: pd.DataFrame, targets: pd.DataFrame) -> None:
    """Print our parameters minus those that the release gives."""
    targets = targets.set_index("sn")
    ok = fits[fits["status"] == "ok"]
    for name in ("t0", "x1", "c"):
        if f"dr2_{name}" in targets:
            difference = ok[name] - targets.loc[ok.index, f"dr2_{name}"]
            spread = 1.4826 * (difference - difference.median()).abs().median()
            print(
                f"{name} minus the release's: median {difference.median():+.4f}, MAD {spread:.4f}"
            )


def columns_of(fits: Any, targets: pd.DataFrame) -> dict[str, np.ndarray]:
    """Bring fits and environments to what the likelihood takes."""
    from chandelle.standardization.likelihood import reference_modulus

    z = fits["z_hd"]
    cov = fits.distance_covariance()
    cov[:, 0, 0] += (5 / np.log(10) * SIGMA_V_KM_S / (C_KM_S * z)) ** 2
    color, error = (
        targets[name].to_numpy(dtype=float) for name in ("local_color", "local_color_err")
    )
    return {
        **{name: fits[name] for name in ("mb", "x1", "c")},
        "cov": cov,
        "mu": np.asarray(reference_modulus(z, fits["z_hel"])),
        "p_high": norm.cdf((color - COLOR_STEP) / np.where(error > 0, error, 1e-3)),
    }


def show(found: dict[str, tuple[float, float]], law: str, title: str) -> None:
    """Print found and published values side by side."""
    print(f"-- {title}")
    for name, (value, error) in PUBLISHED[law].items():
        ours, ours_err = found[name]
        theirs = f"{value:+.3f}" + (f" +- {error:.3f}" if np.isfinite(error) else "")
        print(f"{name:12s} {ours:+.3f} +- {ours_err:.3f}   {theirs}")


if __name__ == "__main__":
    main()
