"""Cosmology: distances against astropy, the gradient of the hierarchy, NUTS on it, Pantheon+.

Run: python benchmarks/bench_cosmology.py [folder of the Pantheon+ release]
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from astropy.cosmology import FlatwCDM

from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for
from chandelle.cosmology import CosmologyConfig, fit_cosmology
from chandelle.cosmology.stage import salt_problem
from chandelle.physics.distance import Cosmology, DistanceOperator, distance_modulus
from chandelle.physics.sample import SaltCuts, select_fits
from chandelle.products.pantheonplus import read_pantheonplus
from chandelle.products.saltfits import SaltFits
from chandelle.simulate.saltfits import simulate_salt_fits
from chandelle.standardization import standardize


def best_time(function: Callable[..., Any], *args: Any, repeat: int = 50) -> float:
    """Best of several calls, compilation left out [s]."""
    jax.block_until_ready(function(*args))
    walls = []
    for _ in range(repeat):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        walls.append(time.perf_counter() - start)
    return min(walls)


def fits_of(n: int) -> SaltFits:
    """Half below z = 0.1, half above, cut."""
    z = np.concatenate([np.geomspace(0.015, 0.1, n // 2), np.linspace(0.1, 0.9, n // 2)])
    return select_fits(simulate_salt_fits(z, key=key_for(1, "bench")), SaltCuts())[0]


def bench_distances() -> None:
    """2000 moduli: quadrature, operator, astropy."""
    z = np.geomspace(0.01, 1.2, 2000)
    cosmology, operator = Cosmology(Om=0.3, w=-0.9), DistanceOperator.at(z, z)
    direct = best_time(eqx.filter_jit(distance_modulus), jnp.asarray(z), jnp.asarray(z), cosmology)
    fast = best_time(eqx.filter_jit(lambda o, c: o(c)), operator, cosmology)
    peer = best_time(FlatwCDM(70, 0.3, w0=-0.9, Tcmb0=0).distmod, z, repeat=3)
    print(f"2000 moduli: quadrature {direct * 1e6:.0f} us, operator {fast * 1e6:.0f} us")
    print(f"  astropy {peer * 1e3:.1f} ms, ratio {peer / direct:.0f} and {peer / fast:.0f}")


def bench_gradient() -> None:
    """One gradient of the hierarchical density."""
    for n in (1000, 2000):
        problem = salt_problem(fits_of(n), CosmologyConfig())
        gradient = eqx.filter_jit(lambda p, x: jax.grad(p.density)(x))
        wall = best_time(gradient, problem, problem.start)
        print(f"gradient of the hierarchy, {n} SNe before cuts: {wall * 1e6:.0f} us")


def report(name: str, function: Callable[[], Any]) -> None:
    """First and second wall, with the answer."""
    walls = []
    for _ in range(2):
        start = time.perf_counter()
        answer = function()
        walls.append(time.perf_counter() - start)
    print(f"{name}: first {walls[0]:.2f} s, again {walls[1]:.2f} s\n{answer}")


def main() -> None:
    """Run all."""
    require_x64()
    bench_distances()
    bench_gradient()
    fits = fits_of(1000)
    report("standardize 1000 SNe", lambda: len(standardize(fits)))
    report("NUTS on the hierarchy of 1000 SNe", lambda: fit_cosmology(fits))
    if len(sys.argv) > 1:
        diagram = read_pantheonplus(sys.argv[1])
        for model in ("flat-lcdm", "flat-wcdm", "flat-w0wacdm"):
            report(f"Pantheon+ {model}", lambda m=model: fit_cosmology(diagram, model=m))


if __name__ == "__main__":
    main()
