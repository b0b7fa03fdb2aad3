"""Model covariance in the form the fit uses; the values are held against sncosmo in test_salt."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.instrument.passbands import load_passband
from chandelle.physics.salt import load_salt
from chandelle.physics.salt_bands import phase_weights
from chandelle.physics.salt_covariance import (
    band_curves,
    band_errors,
    grid_lengths,
    relative_variance,
)

NAMES = ("ztfg", "ztfr", "ztfi")
MJD = np.array([57990.0, 57999.0, 58003.0, 58020.0, 58041.0, 57900.0])


@pytest.fixture(scope="module")
def salt():
    return load_salt("salt3-f22")


@eqx.filter_jit
def stacked(salt, curves, lengths, z, band, x1):
    """Variance of epochs in several bands and the bands' dispersions, as a fit computes them."""
    surfaces, errors = salt.surfaces, salt.errors
    bands = jax.vmap(lambda one: band_errors(surfaces, errors, one, z=z, lengths=lengths))(curves)
    phase = (jnp.asarray(MJD) - 58000.0) / (1.0 + z)

    def one(row, p):
        near = jax.tree.map(lambda leaf: leaf[row], bands)
        return relative_variance(errors, near, phase_weights(surfaces, p), p, x1)

    return jax.vmap(one)(band, phase), bands


def test_stacked_bands_equal_the_method(salt):
    passbands = [load_passband(name) for name in NAMES]
    band = np.array([0, 1, 2, 0, 1, 2])
    curves, lengths = band_curves(passbands), grid_lengths(passbands)
    z, x1 = jnp.asarray(0.07), jnp.asarray(-1.2)
    variance, bands = stacked(salt, curves, lengths, z, jnp.asarray(band), x1)
    names = [NAMES[i] for i in band]
    rcov = np.asarray(salt.bandflux_rcov(names, MJD, z=0.07, t0=58000.0, x1=-1.2))
    same = band[:, None] == band[None, :]
    expected = np.where(same, np.asarray(bands.color_dispersion)[band][:, None] ** 2, 0.0)
    np.testing.assert_allclose(rcov, expected + np.diag(variance), rtol=1e-11)
    for name, wave in zip(NAMES, np.asarray(bands.wave), strict=True):
        assert abs(wave - load_passband(name).mean_wave / 1.07) < 0.05


def test_dark_and_negative_variances_as_in_snfit(salt):
    passbands = [load_passband("ztfr")]
    curves, lengths = band_curves(passbands), grid_lengths(passbands)
    zero = jnp.zeros(len(MJD), dtype=int)
    args = (curves, lengths, jnp.asarray(0.05), zero, jnp.asarray(0.0))
    variance, bands = stacked(salt, *args)
    assert variance[-1] == 1e4
    below = eqx.tree_at(
        lambda m: m.errors.variance_0.values, salt, replace_fn=lambda v: -jnp.ones_like(v)
    )
    floor, _ = stacked(below, *args)
    near = phase_weights(salt.surfaces, (jnp.asarray(MJD[:5]) - 58000.0) / 1.05)
    mean = jnp.sum(near.weight * bands.table.nodes[0, 0][near.index, 0], axis=-1)
    np.testing.assert_allclose(floor[:5], 1e-4 / mean**2, rtol=1e-9)


def test_covariance_is_positive_definite(salt):
    names = [NAMES[i % 3] for i in range(5)]
    rcov = salt.bandflux_rcov(names, MJD[:5], z=0.05, t0=58000.0, x1=0.5)
    np.testing.assert_array_equal(rcov, rcov.T)
    assert np.linalg.eigvalsh(np.asarray(rcov)).min() > 0.0
