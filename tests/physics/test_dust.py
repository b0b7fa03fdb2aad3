"""Extinction laws against `extinction` 0.4 (what sncosmo propagates) and dust_extinction 1.7."""

import extinction as outside
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sncosmo
from astropy import units
from dust_extinction.parameter_averages import CCM89, F99, O94

from chandelle.core.errors import InputError
from chandelle.physics import dust as own_dust
from chandelle.physics.dust import extinction

RANGES = {"ccm89": (1000.0, 33000.0), "o94": (910.0, 33000.0), "f99": (910.0, 60000.0)}


def reference(law, wave, a_v, r_v):
    if law == "ccm89":
        return outside.ccm89(wave, a_v, r_v)
    if law == "o94":
        return outside.odonnell94(wave, a_v, r_v)
    return outside.Fitzpatrick99(r_v=r_v)(wave, a_v)


@pytest.mark.parametrize("law", list(RANGES))
@pytest.mark.parametrize("r_v", [2.0, 3.1, 5.5])
def test_transmission_equals_the_outside_code(law, r_v):
    wave, ebv = np.linspace(*RANGES[law], 20001), 0.7
    ours = 10.0 ** (-0.4 * extinction(jnp.asarray(wave), ebv=ebv, r_v=r_v, law=law))
    theirs = outside.apply(reference(law, wave, ebv * r_v, r_v), np.ones_like(wave))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("law", "dust"),
    [("ccm89", sncosmo.CCM89Dust), ("o94", sncosmo.OD94Dust), ("f99", sncosmo.F99Dust)],
)
def test_transmission_equals_sncosmo(law, dust):
    effect, wave = dust(), np.linspace(1500.0, 25000.0, 5001)
    effect.set(ebv=0.4)
    theirs = effect.propagate(wave, np.ones((1, wave.size)))[0]
    ours = 10.0 ** (-0.4 * extinction(jnp.asarray(wave), ebv=0.4, law=law))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


DUST_EXTINCTION = {"ccm89": CCM89, "o94": O94, "f99": F99}


def difference(law, r_v):
    """Largest difference from dust_extinction over its range [mag per E(B-V)]."""
    model = DUST_EXTINCTION[law](Rv=r_v)
    # Its ranges end at exactly 0.3 and 10 per micron, which rounding must not pass.
    x = np.linspace(0.3 + 1e-9, 10.0 - 1e-9, 20001)
    ours = extinction(jnp.asarray(1e4 / x), ebv=1.0, r_v=r_v, law=law)
    return np.abs(np.asarray(ours) - model(x / units.micron) * r_v).max()


@pytest.mark.parametrize("law", ["ccm89", "o94"])
@pytest.mark.parametrize("r_v", [2.0, 3.1, 5.5])
def test_extinction_equals_dust_extinction(law, r_v):
    assert difference(law, r_v) < 1e-12


@pytest.mark.parametrize(("r_v", "tolerance"), [(2.0, 1.6e-3), (3.1, 5e-4), (5.5, 1.3e-3)])
def test_fitzpatrick_differs_from_dust_extinction_by_the_knots_alone(monkeypatch, r_v, tolerance):
    # Ours and `extinction` have the knots of fm_unred.pro, dust_extinction the rounded ones of the
    # paper's table 4: 0.7 mmag apart at the knots. With its knots in ours, nothing is left.
    assert difference("f99", r_v) < tolerance

    def rounded(r_v):
        table = jnp.stack(
            [
                *(0.0 * r_v, 0.265 * r_v / 3.1, 0.829 * r_v / 3.1, -0.426 + 1.0044 * r_v),
                *(-0.050 + 1.0016 * r_v, 0.701 + 1.0016 * r_v),
                1.208 + 1.0032 * r_v - 0.00033 * r_v**2,
            ]
        )
        ultraviolet = own_dust._f99_ultraviolet(jnp.asarray(own_dust._UV_KNOTS), r_v)
        return jnp.concatenate([table - r_v, ultraviolet])

    monkeypatch.setattr(own_dust, "_f99_knots", rounded)
    assert difference("f99", r_v) < 1e-12


@pytest.mark.parametrize("law", list(RANGES))
def test_jit_vmap_and_gradient(law):
    wave = jnp.array([1200.0, 2650.0, 3500.0, 5500.0, 12000.0])

    def total(w, ebv, r_v):
        return extinction(w, ebv=ebv, r_v=r_v, law=law)

    one = jax.jit(jax.vmap(total, in_axes=(0, None, None)))(wave, 0.3, 3.1)
    np.testing.assert_allclose(one, total(wave, 0.3, 3.1), rtol=1e-13)
    step = 1e-4
    for argument in range(3):
        args = [[w, 0.3, 3.1] for w in wave.tolist()]
        for point in args:
            exact = jax.grad(total, argnums=argument)(*map(jnp.asarray, point))
            high, low = list(point), list(point)
            high[argument] += step
            low[argument] -= step
            f = [float(total(*map(jnp.asarray, side))) for side in (high, low)]
            np.testing.assert_allclose(exact, (f[0] - f[1]) / (2 * step), rtol=1e-6, atol=1e-9)


def test_unknown_law():
    with pytest.raises(InputError, match="f99, ccm89, o94, got 'f19'"):
        extinction(jnp.asarray(5000.0), ebv=0.1, law="f19")
