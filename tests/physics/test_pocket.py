"""The pocket effect against a plain loop; charge, gradients, rows, and the inverse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from chandelle.instrument.camera_files import load_camera
from chandelle.physics.pocket import Pocket, apply_pocket, captured, invert_pocket, released

TYPICAL = {"alpha": 1.52, "cmax": 756.0, "beta": 0.372, "nmax": 3.2e5}
STRONG = {"alpha": 1.33, "cmax": 1757.0, "beta": 0.286, "nmax": 6.6e4}
WEAK = {"alpha": 1.74, "cmax": 386.0, "beta": 0.536, "nmax": 2.0e6}
N_OVERSCAN = 30

forward = eqx.filter_jit(apply_pocket)
inverse = eqx.filter_jit(invert_pocket)


def plain_loop(pixels, *, alpha, cmax, beta, nmax, n_overscan=0):
    """The formulas of the issue, pixel by pixel, in Python floats."""
    n_rows, n_columns = pixels.shape
    out, charges = np.zeros((n_rows, n_columns + n_overscan)), np.zeros(n_rows)
    for y in range(n_rows):
        q = 0.0
        for x in range(n_columns + n_overscan):
            n = float(pixels[y, x]) if x < n_columns else 0.0
            release = min(cmax * (q / cmax) ** alpha, q)
            capture = cmax * max(1.0 - q / cmax, 0.0) ** alpha * (max(n, 0.0) / nmax) ** beta
            capture = min(capture, cmax - q, max(n, 0.0))
            out[y, x] = n + release - capture
            q = q - release + capture
        charges[y] = q
    return out, charges


def image(seed, shape=(40, 120), *, sky=150.0):
    """Sky with stars of all fluxes, some pixels saturated."""
    rng = np.random.default_rng(seed)
    return rng.normal(sky, np.sqrt(sky), shape) + np.minimum(20 * rng.pareto(0.6, shape), 6e4)


@pytest.mark.parametrize("values", [TYPICAL, STRONG, WEAK])
@pytest.mark.parametrize("sky", [0.01, 150.0])
def test_equals_a_plain_loop(values, sky):
    pixels = image(1, sky=sky)
    pixels[3, 10:40], pixels[4, :20], pixels[5], pixels[6, 30:60] = 0.0, -3.0, 5e4, 5e6
    out, charge = forward(jnp.asarray(pixels), Pocket(**values), n_overscan=N_OVERSCAN)
    expected, expected_charge = plain_loop(pixels, **values, n_overscan=N_OVERSCAN)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12 * pixels.max())
    np.testing.assert_allclose(charge, expected_charge, rtol=1e-12, atol=1e-12)
    assert np.abs(expected[:, :120] - pixels).max() > 10.0


@pytest.mark.parametrize("values", [TYPICAL, STRONG, WEAK])
def test_charge_is_conserved_and_bounded(values):
    pixels = image(2)
    out, charge = forward(jnp.asarray(pixels), Pocket(**values), n_overscan=N_OVERSCAN)
    np.testing.assert_allclose(out.sum(axis=1) + charge, pixels.sum(axis=1), rtol=1e-13)
    assert np.all((charge > 0) & (charge < values["cmax"]))
    assert np.all(np.diff(out[:, 120:], axis=1) < 0)  # nothing but release in the overscan


def test_bounds_of_release_and_capture():
    pocket = Pocket(**STRONG)
    charge = jnp.linspace(0.0, STRONG["cmax"], 201)
    assert np.all(released(charge, pocket) <= charge)
    assert float(released(charge, pocket)[-1]) == pytest.approx(STRONG["cmax"])
    for pixel in (-5.0, 0.0, 1e-3, 10.0, 1e7):
        taken = captured(jnp.full(201, pixel), charge, pocket)
        assert np.all((taken >= 0) & (taken <= max(pixel, 0.0)))
        assert np.all(taken <= STRONG["cmax"] - charge)
    assert float(captured(jnp.asarray(10.0), jnp.asarray(0.0), pocket)) == 10.0


def test_gradients_equal_finite_differences():
    pixels = jnp.asarray(image(3, (2, 12), sky=900.0))
    weights = jnp.asarray(np.random.default_rng(4).normal(size=(2, 15)))

    def total(pixels, pocket):
        out, charge = apply_pocket(pixels, pocket, n_overscan=3)
        return jnp.sum(weights * out) + jnp.sum(charge**2) / 100.0

    # Steps are absolute: parameters in units of their own size.
    @jax.jit
    def scaled(pixels, factors):
        values = {key: factors[key] * TYPICAL[key] for key in TYPICAL}
        return total(1000.0 * jnp.asarray(pixels), Pocket(**values))

    ones = {key: jnp.ones(()) for key in TYPICAL}
    check_grads(scaled, (pixels / 1000.0, ones), order=1, modes=["fwd", "rev"], rtol=1e-6, eps=1e-5)


def test_gradients_are_finite_at_empty_pixels_and_an_empty_trap():
    pixels = jnp.asarray([[0.0, 0.0, -1.0, 1e-300, 5.0, 0.0, 1e5, 0.0]])

    def total(pixels, pocket):
        out, charge = apply_pocket(pixels, pocket, n_overscan=3)
        return jnp.sum(out**2) + jnp.sum(charge**2)

    gradient = jax.jit(jax.grad(total, argnums=(0, 1)))
    by_pixel, by_parameter = gradient(pixels, Pocket(**TYPICAL))
    leaves = [by_pixel, *jax.tree.leaves(by_parameter)]
    assert all(np.all(np.isfinite(leaf)) for leaf in leaves)
    assert float(by_pixel[0, 6]) != 0.0
    full = jax.grad(lambda q: captured(jnp.asarray(1e4), q, Pocket(**TYPICAL)))
    assert np.isfinite(full(jnp.asarray(TYPICAL["cmax"])))


def test_rows_are_independent_and_their_order_does_not_matter():
    pixels, pocket = image(5), Pocket(**TYPICAL)
    out, charge = forward(jnp.asarray(pixels), pocket, n_overscan=N_OVERSCAN)
    changed = pixels.copy()
    changed[7] += 1e4
    other, _ = forward(jnp.asarray(changed), pocket, n_overscan=N_OVERSCAN)
    same = np.arange(40) != 7
    np.testing.assert_array_equal(other[same], out[same])
    assert np.all(other[7, :120] != out[7, :120])
    shuffle = np.random.default_rng(6).permutation(40)
    mixed, mixed_charge = forward(jnp.asarray(pixels[shuffle]), pocket, n_overscan=N_OVERSCAN)
    np.testing.assert_array_equal(mixed, out[shuffle])
    np.testing.assert_array_equal(mixed_charge, charge[shuffle])


def test_a_row_read_the_other_way_differs():
    pixels, pocket = jnp.asarray(image(7)), Pocket(**TYPICAL)
    there, _ = forward(pixels, pocket)
    back, _ = forward(pixels[:, ::-1], pocket)
    assert float(jnp.abs(there - back[:, ::-1]).max()) > 10.0


def test_precision_follows_the_pixels():
    pixels, pocket = image(8), Pocket(**TYPICAL)
    single, charge = forward(jnp.asarray(pixels, jnp.float32), pocket, n_overscan=N_OVERSCAN)
    double, _ = forward(jnp.asarray(pixels), pocket, n_overscan=N_OVERSCAN)
    assert single.dtype == charge.dtype == jnp.float32
    np.testing.assert_allclose(single, double, rtol=1e-5, atol=0.05)
    back, _ = inverse(single, pocket, empty=0.1)
    np.testing.assert_allclose(back[:, :120], pixels, rtol=1e-3)


@pytest.mark.parametrize("sky", [500.0, 2000.0])
def test_inverse_of_every_ztf_quadrant(sky):
    # Above 230 counts no trap of the camera takes all of a pixel.
    pixels = jnp.asarray(np.maximum(image(9, (20, 200), sky=sky), 450.0))
    for quadrant in load_camera("ztf").quadrants:
        assert quadrant.pocket is not None
        pocket = Pocket.of(quadrant.pocket)
        out, charge = forward(pixels, pocket, n_overscan=N_OVERSCAN)
        assert float(jnp.abs(out[:, :200] - pixels).max()) > 10.0
        back, back_charge = inverse(out, pocket)
        np.testing.assert_allclose(back[:, :200], pixels, rtol=1e-10)
        np.testing.assert_allclose(back[:, 200:], 0.0, atol=1e-9)
        np.testing.assert_allclose(back_charge, charge, rtol=1e-9)


@pytest.mark.parametrize("values", [TYPICAL, STRONG, WEAK])
def test_inverse_just_above_what_the_trap_takes_whole(values):
    # One pixel a row into an empty trap: n0 = a^(1 / (1 - beta)) is where it stops taking all.
    appetite = values["cmax"] * values["nmax"] ** -values["beta"]
    whole = appetite ** (1.0 / (1.0 - values["beta"]))
    above = whole * (1.0 + np.geomspace(1e-5, 1e4, 400))[:, None]
    pocket = Pocket(**values)
    out, _ = forward(jnp.asarray(above), pocket)
    np.testing.assert_allclose(inverse(out, pocket, empty=1e-9)[0], above, rtol=1e-10)
    below = jnp.asarray(whole * np.linspace(0.0, 0.999, 50)[:, None])
    lost, charge = forward(below, pocket)
    np.testing.assert_allclose(lost, 0.0, atol=1e-9)
    np.testing.assert_allclose(charge, below[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(inverse(lost, pocket)[0], jnp.zeros_like(below))


def test_inverse_where_the_trap_is_filled_to_its_brim():
    # Beyond nmax the trap wants more than it has room for.
    pixels, pocket = np.full((1, 30), 900.0), Pocket(**STRONG)
    pixels[0, 10:14] = 1e6
    out, charge = forward(jnp.asarray(pixels), pocket, n_overscan=N_OVERSCAN)
    _, before = forward(jnp.asarray(pixels[:, :10]), pocket)
    taken = captured(jnp.full(1, 1e6), before, pocket)
    np.testing.assert_array_equal(taken, STRONG["cmax"] - before)
    back, back_charge = inverse(out, pocket)
    np.testing.assert_allclose(back[:, :30], pixels, rtol=1e-10)
    np.testing.assert_allclose(back[:, 30:], 0.0, atol=1e-9)
    np.testing.assert_allclose(back_charge, charge, rtol=1e-9)
