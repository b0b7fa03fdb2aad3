"""Band tables: the power series in color against exact fluxes, derivatives, vmap."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import load_passband
from chandelle.physics.photometry import band_samples
from chandelle.physics.salt import load_salt
from chandelle.physics.salt_bands import (
    band_table,
    phase_weights,
    series_terms,
    table_flux,
    table_flux_slopes,
)

PHASES = jnp.array([-19.99, -19.6, -18.99, -3.3, 0.0, 7.25, 48.99, 49.01, 49.7, 49.99, -20.5, 51.0])


@pytest.fixture(scope="module")
def surfaces():
    return load_salt("salt3-f22").surfaces


@pytest.fixture(scope="module")
def samples():
    one = band_samples(load_passband("ztfg"))
    return jnp.asarray(one.wave), jnp.asarray(one.weight)


@eqx.filter_jit
def series_flux(surfaces, wave, weight, z, c, terms):
    table = band_table(surfaces, wave, weight, z=z, terms=terms)
    weights = phase_weights(surfaces, PHASES)
    return jax.vmap(lambda near: table_flux(table, near, c))(weights)


def exact_flux(name, z, c):
    """M0 and M1 fluxes with the color law inside the integral (held against sncosmo)."""
    salt = load_salt("salt3-f22")
    mjd = np.asarray(PHASES * (1 + z))
    theta = {"z": z, "t0": 0.0, "x0": 1.0, "c": c}
    m0, both = (np.asarray(salt.bandflux(name, mjd, x1=x1, **theta)) for x1 in (0.0, 1.0))
    return np.stack([m0, both - m0], axis=-1)


@pytest.mark.parametrize("z", [0.01, 0.3, 0.8])
def test_series_is_exact_within_its_bound(surfaces, samples, z):
    terms = series_terms(surfaces, [load_passband("ztfg")], z_min=z, z_max=z, c_max=0.8)
    for c in (-0.8, -0.3, 0.0, 0.2, 0.8):
        ours = series_flux(surfaces, *samples, jnp.asarray(z), jnp.asarray(c), terms)
        exact = exact_flux("ztfg", z, c)
        # 1e-12 is of the flux of a positive surface; M1 changes sign within the band.
        np.testing.assert_allclose(ours, exact, rtol=1e-10, atol=3e-12 * np.abs(exact).max())


def test_fewer_terms_are_worse(surfaces, samples):
    args = (jnp.asarray(0.3), jnp.asarray(0.8))
    exact = exact_flux("ztfg", 0.3, 0.8)[4, 0]
    error = [abs(series_flux(surfaces, *samples, *args, n)[4, 0] / exact - 1) for n in (4, 8, 12)]
    assert error[0] > 10 * error[1] > 100 * error[2]


def test_series_terms(surfaces):
    band = [load_passband("ztfg")]
    few, more = (series_terms(surfaces, band, z_min=0.0, z_max=z) for z in (0.0, 0.6))
    assert few < more
    assert series_terms(surfaces, band, z_min=0.0, z_max=0.0, c_max=0.3) < few
    with pytest.raises(InputError, match="more than 64 terms"):
        series_terms(surfaces, band, z_min=0.0, z_max=0.6, c_max=20.0)


def test_slopes_equal_automatic_and_finite_differences(surfaces, samples):
    table = band_table(surfaces, *samples, z=jnp.asarray(0.1), terms=14)

    @jax.jit
    def flux(phase, c):
        return table_flux(table, phase_weights(surfaces, phase), c)

    slopes = jax.jit(lambda p, c: table_flux_slopes(table, phase_weights(surfaces, p), c))
    step = 1e-4
    for phase, c in [(-19.4, 0.3), (-5.2, -0.2), (0.7, 0.0), (33.1, 0.7), (49.6, 0.1)]:
        p, c = jnp.asarray(phase), jnp.asarray(c)
        value, by_phase, by_c = slopes(p, c)
        size = float(jnp.abs(value).max())
        np.testing.assert_allclose(value, flux(p, c), rtol=1e-13)
        for i, ours in enumerate((by_phase, by_c)):
            auto = jax.jacfwd(flux, argnums=i)(p, c)
            np.testing.assert_allclose(ours, auto, rtol=1e-10, atol=1e-12 * size)
            d = step * np.eye(2)[i]
            numeric = (flux(p + d[0], c + d[1]) - flux(p - d[0], c - d[1])) / (2 * step)
            np.testing.assert_allclose(ours, numeric, rtol=1e-6, atol=1e-7 * size)


def test_outside_the_phases_all_weights_are_zero(surfaces):
    weights = phase_weights(surfaces, jnp.array([-20.001, 50.001, jnp.nan]))
    assert not np.any(weights.weight[:2])
    assert not np.any(weights.slope[:2])
    count = 2 * len(surfaces.phase) + 4
    assert np.all((weights.index >= 0) & (weights.index < count))


def test_weights_sum_to_one_inside(surfaces):
    phase = jnp.linspace(-20.0, 50.0, 1001)
    weights = phase_weights(surfaces, phase)
    # The cubic block and the edge block each carry the weights of one interpolation.
    inner = (phase >= -19.0) & (phase < 49.0)
    total = jnp.where(inner, 2.0, 1.0)
    np.testing.assert_allclose(weights.weight.sum(axis=-1), total, rtol=1e-14)
    np.testing.assert_allclose(weights.slope.sum(axis=-1), 0.0, atol=1e-13)


def test_padding_and_empty_bands_do_not_count(surfaces, samples):
    wave, weight = samples
    long = jnp.pad(wave, (0, 64), mode="edge"), jnp.pad(weight, (0, 64))
    build = eqx.filter_jit(lambda w, q: band_table(surfaces, w, q, z=jnp.asarray(0.1), terms=6))
    plain, padded = build(wave, weight), build(*long)
    np.testing.assert_allclose(padded.nodes, plain.nodes, rtol=1e-11, atol=1e-24)
    np.testing.assert_array_equal(padded.color_middle, plain.color_middle)
    empty = build(wave, jnp.zeros_like(weight))
    assert not np.any(empty.nodes)
    assert np.isfinite(empty.color_middle)


def test_stack_over_supernovae_and_bands(surfaces, samples):
    wave, weight = (jnp.stack([x, x * (1.0 + 0.01)]) for x in samples)
    z = jnp.array([0.02, 0.1, 0.4])

    @eqx.filter_jit
    @eqx.debug.assert_max_traces(max_traces=1)
    def stack(z):
        one = lambda z: jax.vmap(  # noqa: E731
            lambda w, q: band_table(surfaces, w, q, z=z, terms=5)
        )(wave, weight)
        return jax.lax.map(one, z)

    tables = stack(z)
    tables = stack(z)
    assert tables.nodes.shape == (3, 2, 5, 2 * 71 + 4, 2)
    alone = band_table(surfaces, wave[1], weight[1], z=z[2], terms=5)
    np.testing.assert_allclose(tables.nodes[2, 1], alone.nodes, rtol=1e-10, atol=1e-24)
    near, c = phase_weights(surfaces, jnp.asarray(3.3)), jnp.asarray(0.1)
    two = jax.tree.map(lambda leaf: leaf[2], tables)
    by_row = table_flux(two, near, c, band=jnp.asarray(1))
    np.testing.assert_allclose(by_row, table_flux(alone, near, c), rtol=1e-10)
