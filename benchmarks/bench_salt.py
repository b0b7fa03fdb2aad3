"""Band fluxes of SALT: agreement with sncosmo, and the time of a flux and of a table.

Run: python benchmarks/bench_salt.py
Model: salt3-f22 as shipped.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import sncosmo
from peers import light_curve_helpers

import chandelle as ch
from chandelle.core.precision import require_x64
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.fitting.basis import tables_of, unit_fluxes
from chandelle.physics.photometry import band_samples
from chandelle.physics.salt import SaltModel

_BANDS = ("ztfg", "ztfr", "ztfi", "lsstz")


def main() -> None:
    """Compare, then time."""
    require_x64()
    ours, theirs = ch.load_salt("salt3-f22"), light_curve_helpers().sncosmo_salt3()
    for name in _BANDS:
        band = ch.load_passband(name)
        sncosmo.register(sncosmo.Bandpass(band.wave, band.transmission, name=name), force=True)
    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(50):
        theta = {
            "z": rng.uniform(0.01, 0.25),
            "t0": 0.0,
            "x0": 1e-3,
            "x1": rng.uniform(-3, 3),
            "c": rng.uniform(-0.3, 0.8),
        }
        mjd = rng.uniform(-22, 55, 60) * (1 + theta["z"])
        for name in _BANDS:
            theirs.set(**theta, mwebv=0.1)
            want = theirs.bandflux(name, mjd, zp=ZP_NJY, zpsys="ab")
            got = ours.bandflux(name, mjd, **theta, zp=ZP_NJY, mwebv=0.1)
            scale = np.abs(want).max()
            worst = max(worst, float(np.abs(np.asarray(got) - want).max() / scale))
    print(f"worst difference of 12 000 band fluxes: {worst:.1e} of the light curve's peak")
    mjd = np.linspace(-15, 45, 60)
    theirs.set(**theta, mwebv=0.1)
    start = time.process_time()
    for _ in range(20):
        theirs.bandflux("ztfg", mjd, zp=ZP_NJY, zpsys="ab")
    peer = (time.process_time() - start) / 20
    jax.block_until_ready(ours.bandflux("ztfg", mjd, **theta, zp=ZP_NJY, mwebv=0.1))
    start = time.process_time()
    for _ in range(20):
        jax.block_until_ready(ours.bandflux("ztfg", mjd, **theta, zp=ZP_NJY, mwebv=0.1))
    mine = (time.process_time() - start) / 20
    print(f"60 fluxes of one band, table made anew: {1e3 * mine:.2f} ms")
    print(f"  sncosmo {sncosmo.__version__} {1e3 * peer:.2f} ms, ratio {peer / mine:.2f}")
    table, basis = _from_table(ours, mjd)
    print(f"one table: {1e3 * table:.3f} ms")
    print(f"60 fluxes of unit x0 and x0 x1 from it: {1e3 * basis:.3f} ms")
    print(f"  ratio to sncosmo's fluxes without derivatives {peer / basis:.0f}")


def _from_table(salt: SaltModel, mjd: np.ndarray) -> tuple[float, float]:
    """CPU seconds of a table, and of 60 fluxes from a table that is there, 200 in one program."""
    samples, surfaces = band_samples(ch.load_passband("ztfg")), salt.surfaces
    z = jnp.linspace(0.05, 0.1, 200)
    band = jnp.zeros(len(mjd), int)

    @jax.jit
    def tables(z):
        wave, weight = jnp.asarray(samples.wave)[None], jnp.asarray(samples.weight)[None]
        dust = {"mwebv": jnp.asarray(0.1), "r_v": jnp.asarray(3.1), "dust": "f99", "terms": 18}
        return jax.lax.map(lambda z: tables_of(surfaces, wave, weight, z=z, **dust), z)

    @jax.jit
    def bases(stack, z):
        def one(table, z):
            phase = jnp.asarray(mjd) / (1.0 + z)
            return unit_fluxes(surfaces, table, band, phase, jnp.asarray(0.1))

        return jax.vmap(one)(stack, z)

    times = []
    stack = jax.block_until_ready(tables(z))
    jax.block_until_ready(bases(stack, z))
    for work in (lambda: tables(z), lambda: bases(stack, z)):
        start = time.process_time()
        jax.block_until_ready(work())
        times.append((time.process_time() - start) / len(z))
    return times[0], times[1]


if __name__ == "__main__":
    main()
