"""Noise against counting photons."""

import jax
import jax.numpy as jnp
import numpy as np

from chandelle.core.rng import key_for
from chandelle.core.units import ZP_NJY
from chandelle.simulate.noise import flux_error, observe


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


def test_pulls_are_unit():
    n = 20_000
    flux, err = jnp.full(n, 100.0), jnp.linspace(1.0, 30.0, n)
    pull = (observe(flux, err, key=key_for(1, "noise")) - flux) / err
    assert abs(float(pull.mean())) < 5 / np.sqrt(n)
    assert abs(float(pull.std()) - 1.0) < 5 / np.sqrt(2 * n)
    other = observe(flux, err, key=jax.random.fold_in(key_for(1, "noise"), 1))
    assert not jnp.array_equal(other, flux + err * pull)
