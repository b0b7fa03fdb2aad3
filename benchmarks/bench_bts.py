"""A simulated sample of the ZTF beside real alert light curves, with two-sample tests.

Run: python benchmarks/bench_bts.py [figure.png]
Reads lightcurves/ztf_bts_snia of $CHANDELLE_TEST_DATA and says so where it is absent. Three
simulated samples: the preset ztf-dr2 as it is; one with the cadence, the detections and the faint
limit of the alerts; the same with errors and scatter as the alerts have at each magnitude. All are
fitted and cut by the same code.
"""

import os
import sys
import tempfile
from pathlib import Path

import pandas as pd
from real import bts, bts_like
from real.pantheonplus import unpack_model

import chandelle as ch
from chandelle.core.precision import require_x64
from chandelle.report import compare_samples, plot_distributions

SEED = 1
REAL = "BTS alerts"


def main() -> None:
    """Read, simulate, fit, print, draw."""
    require_x64()
    data = Path(os.environ.get("CHANDELLE_TEST_DATA", ""))
    if not (data / "lightcurves" / "ztf_bts_snia").is_dir():
        print("no lightcurves/ztf_bts_snia under $CHANDELLE_TEST_DATA: nothing measured")
        return
    real = bts.read_bts(data)
    errors = bts_like.errors_by_magnitude(real, bts.fit_as_dr2(real)[0])
    public = bts_like.simulate_public(SEED)
    noisy = bts_like.with_errors(public, errors, seed=SEED)
    light_curves = {
        REAL: real,
        "ztf-dr2": ch.simulate_lightcurves("ztf-dr2", seed=SEED).lightcurves,
        "BTS-like": bts_like.as_alerts(public),
        "BTS-like, errors of alerts": bts_like.as_alerts(noisy),
    }
    found = {name: bts_like.quantities(lcs) for name, lcs in light_curves.items()}
    print("left after each cut")
    print(pd.DataFrame({name: flow["left"] for name, (_, flow) in found.items()}).to_string())
    samples = {name: table for name, (table, _) in found.items()}
    print(compare_samples(samples, bts_like.QUANTITIES).to_string(float_format="{:.4g}".format))
    shift = shift_of_x1(real, data, samples[REAL])
    print(f"x1 with SALT3-F22 minus with SALT2-4: {shift:+.3f}; x1 of the alerts less that:")
    as_salt2 = {REAL: {"x1": samples[REAL]["x1"] - shift}, "BTS-like": samples["BTS-like"]}
    print(compare_samples(as_salt2, ["x1"]).to_string(float_format="{:.4g}".format))
    both = {"alerts": errors, "simulated": errors_of(public)}
    print("errors over flux of detections, stated and about the fit")
    print(pd.concat(both, axis=1).round(4).to_string())
    phases = {name: bts_like.detections_by_phase(lcs) for name, lcs in light_curves.items()}
    print("detections of a supernova in ten days from each phase on")
    print(pd.DataFrame(phases).T.round(2).to_string())
    for name, lcs in light_curves.items():
        print(f"{name}: {bts_like.share_near_plane(lcs):.3f} within 10 deg of the Milky Way")
    if len(sys.argv) > 1:
        drawn = {name: table for name, table in samples.items() if name != "BTS-like"}
        axes = plot_distributions(drawn, bts_like.QUANTITIES, log=("peak_snr",))
        axes[0].figure.savefig(sys.argv[1], dpi=110)


def shift_of_x1(real: ch.LightCurves, data: Path, kept: pd.DataFrame) -> float:
    """Median of x1 with SALT3-F22 minus x1 with SALT2-4, of the supernovae kept.

    The mixture of stretches of the simulation was measured with SALT2-4.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = unpack_model(data, Path(folder), name="salt2-4_jla_b14")
        other = ch.fit_salt(real, model=model, phase_range=bts.DR2_PHASES).to_pandas()
    return float((kept["x1"] - other.loc[kept.index, "x1"]).median())


def errors_of(lcs: ch.LightCurves) -> pd.DataFrame:
    """Errors of simulated light curves as those of the real ones are taken."""
    return bts_like.errors_by_magnitude(lcs, bts.fit_as_dr2(lcs)[0])


if __name__ == "__main__":
    main()
