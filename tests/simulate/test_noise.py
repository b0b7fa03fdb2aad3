"""Noise against counting photons."""

import jax.numpy as jnp
import numpy as np

from chandelle.core.units import ZP_NJY
from chandelle.simulate.noise import flux_error


def test_error_is_that_of_counted_photons():
    # A bright star: sky and source counted in electrons by numpy's Poisson generator.
    depth, zp_electron = 20.8, 28.3
    limit = 10 ** (-0.4 * (depth - zp_electron))
    sky = (limit / 5.0) ** 2 - limit
    source = 2.0e5
    rng = np.random.default_rng(1)
    n = 40_000
    counted = rng.poisson(source + sky, n) - sky
    one = 10 ** (-0.4 * (zp_electron - ZP_NJY))
    error = flux_error(
        jnp.asarray([source * one]), jnp.asarray([depth]), jnp.asarray([zp_electron])
    )
    assert abs(np.std(counted) * one / float(error[0]) - 1.0) < 5.0 / np.sqrt(2 * n)


def test_a_negative_flux_has_the_error_of_the_sky():
    depth, zp = jnp.asarray([20.8, 20.8]), jnp.asarray([28.3, 28.3])
    error = flux_error(jnp.asarray([0.0, -1e4]), depth, zp)
    assert error[0] == error[1] > 0
