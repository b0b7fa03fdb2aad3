"""Distances against astropy (FLRW quadrature, Tcmb0 = 0) over 1000 random cosmologies.

Tolerance 1e-6 mag: a thousandth of the smallest systematic one discusses.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, w0waCDM

from chandelle.core.errors import InputError
from chandelle.physics.distance import (
    Cosmology,
    DistanceOperator,
    comoving_distance,
    curve,
    distance_modulus,
    expansion_squared,
    free_parameters,
)

Z = np.concatenate([np.geomspace(1e-3, 2.9, 11), [3.0]])
N_COSMOLOGIES = 1000


def random_cosmologies() -> list[tuple[float, ...]]:
    """Draw (Om, w, wa, Ok) over the priors, those without a bounce up to z = 3."""
    rng = np.random.default_rng(3)
    found = []
    log1p_z = jnp.asarray(np.linspace(0, np.log(4), 500))
    minimum = eqx.filter_jit(lambda c: expansion_squared(log1p_z, c).min())
    while len(found) < N_COSMOLOGIES:
        Om, w, wa = rng.uniform([0.05, -2.0, -3.0], [0.95, 0.0, 1.0])
        Ok = rng.choice([0.0, rng.uniform(-0.3, 0.5)])
        if minimum(Cosmology(Om=Om, w=w, wa=wa, Ok=Ok)) > 0.02:
            found.append((Om, w, wa, Ok))
    return found


@pytest.fixture(scope="module")
def compared() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moduli of astropy, of `distance_modulus` and of `DistanceOperator`."""
    z = jnp.asarray(Z)
    operator = DistanceOperator.at(Z, Z)
    direct, fast = eqx.filter_jit(distance_modulus), eqx.filter_jit(lambda o, c: o(c))
    rows = []
    for Om, w, wa, Ok in random_cosmologies():
        ours = Cosmology(Om=Om, w=w, wa=wa, Ok=Ok)
        theirs = w0waCDM(70, Om, 1 - Om - Ok, w0=w, wa=wa, Tcmb0=0).distmod(Z).value
        rows.append((theirs, np.asarray(direct(z, z, ours)), np.asarray(fast(operator, ours))))
    theirs, direct_mu, fast_mu = (np.array(column) for column in zip(*rows, strict=True))
    return theirs, direct_mu, fast_mu


def test_distance_modulus_agrees_with_astropy(compared):
    theirs, direct, _ = compared
    assert np.isfinite(theirs).all()
    assert np.abs(direct - theirs).max() < 1e-6


def test_operator_agrees_with_astropy(compared):
    theirs, _, fast = compared
    assert np.abs(fast - theirs).max() < 1e-6


def test_heliocentric_redshift_enters_once():
    z_hd, z_hel = np.array([0.02, 0.5]), np.array([0.021, 0.499])
    expected = FlatLambdaCDM(70, 0.3, Tcmb0=0).comoving_distance(z_hd).value * (1 + z_hel)
    ours = distance_modulus(jnp.asarray(z_hd), jnp.asarray(z_hel), Cosmology(Om=0.3))
    np.testing.assert_allclose(ours, 5 * np.log10(expected) + 25, atol=1e-8)
    operator = DistanceOperator.at(z_hd, z_hel)
    np.testing.assert_allclose(operator(Cosmology(Om=0.3)), ours, atol=1e-9)


def test_comoving_distance_scales_with_hubble_constant():
    z = jnp.asarray([0.3])
    ratio = comoving_distance(z, Cosmology(Om=0.3, H0=70.0)) / comoving_distance(
        z, Cosmology(Om=0.3, H0=35.0)
    )
    np.testing.assert_allclose(ratio, 0.5, rtol=1e-14)


@pytest.fixture(scope="module")
def derivatives():
    """Gradient and Hessian of a sum of moduli, direct and by operator."""
    z = jnp.asarray([1e-3, 0.5, 2.9])
    operator = DistanceOperator.at(np.asarray(z), np.asarray(z))

    def total(p, fast):
        cosmology = Cosmology(Om=p[0], w=p[1], wa=p[2], Ok=p[3])
        mu = operator(cosmology) if fast else distance_modulus(z, z, cosmology)
        return mu @ jnp.asarray([1.0, 2.0, -1.5])

    return [eqx.filter_jit(f) for f in (total, jax.grad(total), jax.hessian(total))]


@pytest.mark.parametrize("Ok", [-0.2, -1e-9, 0.0, 1e-9, 0.2])
@pytest.mark.parametrize("fast", [False, True])
def test_gradients_are_finite_and_right_across_flatness(derivatives, Ok, fast):
    total, gradient, hessian = derivatives
    p = jnp.asarray([0.3, -0.9, 0.2, Ok])
    slopes, bends = gradient(p, fast), hessian(p, fast)
    assert np.isfinite(bends).all()
    for i in range(4):
        step = jnp.zeros(4).at[i].set(1e-5)
        slope = (total(p + step, fast) - total(p - step, fast)) / 2e-5
        np.testing.assert_allclose(slopes[i], slope, rtol=1e-6, atol=1e-7)
        bend = (gradient(p + step, fast) - gradient(p - step, fast)) / 2e-5
        np.testing.assert_allclose(bends[i], bend, rtol=1e-5, atol=1e-6)


def test_curvature_series_is_sine_and_hyperbolic_sine():
    d = jnp.asarray([0.1, 1.0, 3.0])
    np.testing.assert_allclose(curve(d, jnp.asarray(1.0)), np.sinh(d), rtol=1e-14)
    np.testing.assert_allclose(curve(d, jnp.asarray(-1.0)), np.sin(d), rtol=1e-12)


def test_a_bounce_and_the_antipode_have_no_distance():
    z = jnp.asarray([2.0])
    assert np.isnan(distance_modulus(z, z, Cosmology(Om=0.05, Ok=-1.0))).all()
    assert np.isnan(curve(jnp.asarray([3.2]), jnp.asarray(-1.0))).all()


def test_models_name_their_parameters_and_unknown_ones_are_refused():
    assert free_parameters("w0wacdm") == ("Om", "w", "wa", "Ok")
    assert free_parameters("flat-lcdm") == ("Om",)
    with pytest.raises(InputError, match="known: flat-lcdm"):
        free_parameters("cpl")


@pytest.mark.parametrize(("z_hd", "z_hel"), [(0.0, 0.1), (np.nan, 0.1), (0.1, -1.0)])
def test_operator_refuses_redshifts_without_distance(z_hd, z_hel):
    with pytest.raises(InputError, match="z_hd"):
        DistanceOperator.at(np.array([0.2, z_hd]), np.array([0.2, z_hel]))


def test_operator_refuses_no_redshift_at_all():
    with pytest.raises(InputError, match="at least one redshift"):
        DistanceOperator.at(np.zeros(0), np.zeros(0))
