"""The drawn population: its moments, its redshifts against astropy, its Tripp relation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.stats import kstest

from chandelle.core.rng import key_for
from chandelle.core.units import C_KM_S
from chandelle.simulate.population import Nature, RedshiftLaw, draw_supernova

N = 4000
NATURE = Nature()


@pytest.fixture(scope="module")
def drawn():
    law = RedshiftLaw.of(NATURE, jnp.asarray(0.1), jnp.asarray(0.8))
    keys = jax.random.split(key_for(7, "population"), N)
    return jax.jit(jax.vmap(lambda key: draw_supernova(law, NATURE, key=key)))(keys)


@pytest.mark.parametrize(
    ("name", "mean", "sigma"),
    [
        ("x1", NATURE.x1_mean, NATURE.x1_sigma),
        ("c", NATURE.c_mean, NATURE.c_sigma),
        ("logmass", NATURE.logmass_mean, NATURE.logmass_sigma),
        ("vpec", 0.0, NATURE.sigma_v_km_s),
    ],
)
def test_gaussian_populations(drawn, name, mean, sigma):
    values = np.asarray(getattr(drawn, name))
    assert abs(values.mean() - mean) < 5 * sigma / np.sqrt(N)
    assert abs(values.std() / sigma - 1) < 5 / np.sqrt(2 * N)


def test_redshifts_follow_volume_and_rate(drawn):
    cosmology = FlatLambdaCDM(70, NATURE.Om, Tcmb0=0)
    z = np.linspace(0.1, 0.8, 2001)
    density = cosmology.differential_comoving_volume(z).value * (1 + z) ** (NATURE.rate_slope - 1)
    cumulative = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    test = kstest(np.asarray(drawn.z_cos), lambda x: np.interp(x, z, cumulative / cumulative[-1]))
    assert test.pvalue > 1e-4


def test_brightness_is_the_tripp_relation(drawn):
    z_cos, z_obs = np.asarray(drawn.z_cos), np.asarray(drawn.z_obs)
    cosmology = FlatLambdaCDM(70, NATURE.Om, Tcmb0=0)
    distance = cosmology.comoving_distance(z_cos).value
    mu = 5 * np.log10((1 + z_obs) * distance) + 25
    assert np.abs(mu - np.asarray(drawn.mu)).max() < 1e-6
    assert np.allclose(z_obs, (1 + z_cos) * (1 + np.asarray(drawn.vpec) / C_KM_S) - 1)
    heavy = np.where(np.asarray(drawn.logmass) > 10, 0.5, -0.5)
    mb, x1, c = (np.asarray(getattr(drawn, name)) for name in ("mb", "x1", "c"))
    residual = mb - mu + 19.3 + 0.15 * x1 - 3.1 * c + 0.1 * heavy
    pull = residual / np.sqrt(0.1**2 + (0.055 * z_cos) ** 2)
    assert abs(pull.mean()) < 5 / np.sqrt(N)
    assert abs(pull.std() - 1) < 5 / np.sqrt(2 * N)
    # Nothing of what was drawn leaks into the scatter.
    for other in (x1, c, heavy, z_cos):
        assert abs(np.corrcoef(pull, other)[0, 1]) < 5 / np.sqrt(N)


def test_dust_stays_within_its_range(drawn):
    mwebv = np.asarray(drawn.mwebv)
    assert mwebv.min() >= 0.01
    assert mwebv.max() <= NATURE.mwebv_max + 1e-9
    assert np.asarray(drawn.dec).min() >= -30.0
    assert jnp.all((drawn.ra >= 0) & (drawn.ra < 360))
