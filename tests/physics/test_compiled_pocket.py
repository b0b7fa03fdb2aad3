"""The compiled pocket against the JAX one and against the formulas in plain numpy."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.instrument.ccd import PocketParameters
from chandelle.physics.compiled.pocket import pass_pocket
from chandelle.physics.pocket import Pocket, apply_pocket

TRAPS = {
    "typical": PocketParameters(alpha=1.52, cmax=756.0, beta=0.372, nmax=3.2e5),
    "strong": PocketParameters(alpha=1.33, cmax=1757.0, beta=0.286, nmax=6.6e4),
    "weak": PocketParameters(alpha=1.74, cmax=386.0, beta=0.536, nmax=2.0e6),
}
N_OVERSCAN = 30

jax_pocket = eqx.filter_jit(apply_pocket)


def by_columns(pixels, trap):
    """The formulas of the paper, one column after the other, all rows at once."""
    out, q = np.zeros_like(pixels), np.zeros(len(pixels))
    for x in range(pixels.shape[1]):
        n = pixels[:, x]
        filled, light = q / trap.cmax, np.maximum(n, 0.0)
        released = np.minimum(trap.cmax * filled**trap.alpha, q)
        captured = trap.cmax * np.maximum(1.0 - filled, 0.0) ** trap.alpha
        captured = captured * (light / trap.nmax) ** trap.beta
        captured = np.minimum(np.minimum(captured, trap.cmax - q), light)
        out[:, x] = n + released - captured
        q = q - released + captured
    return out, q


def image(seed, shape=(70, 150), *, sky=150.0):
    """Sky with stars of all fluxes, some pixels saturated, empty or negative; overscan of zeros."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(sky, np.sqrt(sky), shape) + np.minimum(20 * rng.pareto(0.6, shape), 6e4)
    pixels[3, 10:40], pixels[4, :20], pixels[5], pixels[6, 30:60] = 0.0, -3.0, 5e4, 5e6
    pixels[:, shape[1] - N_OVERSCAN :] = 0.0
    return pixels


@pytest.mark.parametrize("name", TRAPS)
@pytest.mark.parametrize("sky", [0.01, 150.0])
def test_equals_jax_and_plain_numpy(name, sky):
    trap, pixels = TRAPS[name], image(1, sky=sky)
    out = pixels.copy()
    charge = pass_pocket(out, trap)
    expected, expected_charge = by_columns(pixels, trap)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(charge, expected_charge, rtol=1e-11, atol=1e-10)
    in_jax, charge_jax = jax_pocket(
        jnp.asarray(pixels[:, :-N_OVERSCAN]), Pocket.of(trap), n_overscan=N_OVERSCAN
    )
    np.testing.assert_allclose(out, in_jax, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(charge, charge_jax, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(out.sum(axis=1) + charge, pixels.sum(axis=1), rtol=1e-12)
    assert np.abs(out - pixels).max() > 10.0


@pytest.mark.parametrize("name", TRAPS)
def test_single_precision_is_that_of_the_pixels_alone(name):
    # The recursion runs in float64: a pixel is off by its own rounding, 0.004 at 6e4.
    pixels = np.minimum(image(2, (64, 1500)), 6e4)
    single, double = pixels.astype(np.float32), pixels.astype(np.float32).astype(np.float64)
    charge, expected = pass_pocket(single, TRAPS[name]), pass_pocket(double, TRAPS[name])
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, double.astype(np.float32))
    np.testing.assert_array_equal(charge, expected)
    plain, _ = by_columns(pixels, TRAPS[name])
    assert np.abs(single - plain).max() < 0.01


def test_a_row_is_the_same_wherever_it_lies():
    pixels = image(3)
    whole, order = pixels.copy(), np.random.default_rng(4).permutation(len(pixels))
    charge = pass_pocket(whole, TRAPS["typical"])
    for rows in (order, order[:33], order[:1]):
        part = pixels[rows]
        np.testing.assert_array_equal(pass_pocket(part, TRAPS["typical"]), charge[rows])
        np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("pixels", [np.zeros((4, 5), np.float16), np.zeros((4, 5))[:, ::-1]])
def test_refuses_what_it_cannot_change_in_place(pixels):
    with pytest.raises(InputError, match="row after row"):
        pass_pocket(pixels, TRAPS["weak"])
