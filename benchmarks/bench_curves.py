"""Noiseless light curves a second, against sncosmo: 60 epochs in ztf g r i, salt3-f22.

Run: python benchmarks/bench_curves.py
"""

import time

import numpy as np
import sncosmo
from peers import light_curve_helpers, register_passbands

import chandelle as ch
from chandelle.core.precision import require_x64
from chandelle.core.units import ZP_NJY
from chandelle.simulate.curves import SaltSample, true_fluxes

NAMES, N, N_OBS, N_PEER = ("ztfg", "ztfr", "ztfi"), 20_000, 60, 40
COLUMNS = ("z", "t0", "x0", "x1", "c", "mwebv")


def main() -> None:
    """Compare, then time."""
    require_x64()
    rng = np.random.default_rng(1)
    z = rng.uniform(0.02, 0.12, N)
    drawn = (z, np.zeros(N), np.full(N, 1e-3), rng.normal(0, 1, N), rng.normal(0, 0.1, N))
    sample = SaltSample(**dict(zip(COLUMNS, (*drawn, rng.uniform(0, 0.2, N)), strict=True)))
    mjd = (rng.uniform(-18, 45, (N, N_OBS)) * (1 + z[:, None])).ravel()
    band = np.tile(np.arange(N_OBS) % 3, N)
    epochs = {"mjd": mjd, "band": band, "first": N_OBS * np.arange(N + 1)}
    model, bands = ch.load_salt("salt3-f22"), [ch.load_passband(name) for name in NAMES]
    true_fluxes(model, bands, sample, **epochs)
    cpu, wall = time.process_time(), time.perf_counter()
    flux = true_fluxes(model, bands, sample, **epochs)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"ours: {N / wall:.0f} supernovae a second, {1e3 * cpu / N:.3f} CPU ms each")
    peer = sncosmo.Model(
        light_curve_helpers().sncosmo_salt3().source,
        effects=[sncosmo.F99Dust()],
        effect_names=["mw"],
        effect_frames=["obs"],
    )
    register_passbands()
    worst, theirs = 0.0, time.process_time()
    for k in range(N_PEER):
        rows = slice(N_OBS * k, N_OBS * (k + 1))
        peer.set(**{name: float(getattr(sample, name)[k]) for name in COLUMNS})
        order = np.argsort(mjd[rows])
        names = np.asarray(NAMES)[band[rows]][order]
        found = peer.bandflux(names, mjd[rows][order], zp=ZP_NJY, zpsys="ab")
        worst = max(worst, float(np.abs(flux[rows][order] - found).max() / np.abs(found).max()))
    theirs = time.process_time() - theirs
    ratio = (theirs / N_PEER) / (cpu / N)
    print(f"sncosmo: {1e3 * theirs / N_PEER:.1f} CPU ms each, ratio {ratio:.0f}")
    print(f"largest difference: {worst:.1e} of the peak")


if __name__ == "__main__":
    main()
