"""Simulated SALT fits: supernovae drawn at the level of their SALT parameters, truth kept."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import ArrayLike

from chandelle.core.precision import require_x64
from chandelle.core.units import C_KM_S
from chandelle.physics.distance import Cosmology, distance_modulus
from chandelle.physics.population import Population
from chandelle.physics.standardization import HOST_STEP_LOGMASS, Tripp
from chandelle.products.product import Meta
from chandelle.products.saltfits import SaltFits

TRUE_TRIPP = {"alpha": 0.15, "beta": 3.1, "gamma": 0.1, "M": -19.3}
"""Coefficients of the simulation unless told otherwise."""
TRUE_POPULATION = {
    "x1_mean": -0.1,
    "x1_sigma": 1.0,
    "c_mean": -0.02,
    "c_sigma": 0.09,
    "sigma_int": 0.1,
}
"""Population of the simulation unless told otherwise."""

_LOGMASS_WIDTH, _LOGMASS_ERR = 0.8, 0.15
_CORRELATION = np.array([[1.0, 0.2, 0.5], [0.2, 1.0, 0.1], [0.5, 0.1, 1.0]])
_X0_UNIT_MAG = 10.5


def simulate_salt_fits(
    z: ArrayLike,
    *,
    key: Key[Array, ""],
    cosmology: Cosmology | None = None,
    tripp: Tripp | None = None,
    population: Population | None = None,
    sigma_v_km_s: float = 250.0,
    lensing: float = 0.055,
    known_host: float = 0.9,
    survey: str = "simulated",
) -> SaltFits:
    """Draw SALT fits of supernovae at given cosmological redshifts.

    True x1 and c are Gaussian; mb follows from the Tripp relation with intrinsic scatter, host
    step and lensing; peculiar velocities move the redshift; the fit adds correlated errors that
    grow with redshift, (mb, x1, c) = (0.03 + 0.05 z, 0.15 + 0.6 z, 0.02 + 0.04 z), each supernova
    its own within 20 %.

    Parameters
    ----------
    z : array, shape (sn,)
        Cosmological redshifts.
    key : key
        Random key.
    cosmology : Cosmology, optional
        Flat LCDM with Om = 0.3.
    tripp, population : Tripp, Population, optional
        `TRUE_TRIPP`, `TRUE_POPULATION`.
    sigma_v_km_s : float, km/s
        Scatter of peculiar velocities.
    lensing : float, mag
        Scatter from lensing at z = 1.
    known_host : float
        Fraction of supernovae whose host mass is known; zero for none.
    survey : str
        Goes into the names too.

    Returns
    -------
    SaltFits
        Origin "simulated", with further columns z_true, mu_true, mb_true, x1_true, c_true.

    Examples
    --------
    >>> fits = simulate_salt_fits(np.linspace(0.1, 0.5, 5), key=jax.random.key(1))
    >>> len(fits), fits.meta.origin
    (5, 'simulated')
    """
    require_x64()
    z = jnp.asarray(z, dtype=float)
    cosmology = Cosmology(Om=0.3) if cosmology is None else cosmology
    tripp = Tripp(**TRUE_TRIPP) if tripp is None else tripp
    population = Population(**TRUE_POPULATION) if population is None else population
    keys = jax.random.split(key, 5)
    z_obs = z + (1.0 + z) * sigma_v_km_s / C_KM_S * jax.random.normal(keys[0], z.shape)
    mu = distance_modulus(z, z, cosmology)
    logmass = HOST_STEP_LOGMASS + _LOGMASS_WIDTH * jax.random.normal(keys[1], z.shape)
    truth = _true_parameters(mu, z, logmass, keys[2], tripp, population, lensing)
    measured, covariance = _measure(truth, z, keys[3])
    noise, lottery = jax.random.normal(keys[4], (2, *z.shape))
    has_host = jax.scipy.stats.norm.cdf(lottery) < known_host
    columns = {
        "sn": [f"{survey}{i:05d}" for i in range(z.size)],
        **fit_columns(np.asarray(measured), np.asarray(covariance)),
        "z": z_obs,
        "z_hel": z_obs,
        "z_hd": z_obs,
        "status": ["ok"] * z.size,
        "survey": [survey] * z.size,
        "host_logmass": jnp.where(has_host, logmass + _LOGMASS_ERR * noise, jnp.nan),
        "host_logmass_err": jnp.where(has_host, _LOGMASS_ERR, jnp.nan),
        "z_true": z,
        "mu_true": mu,
        "mb_true": truth[:, 0],
        "x1_true": truth[:, 1],
        "c_true": truth[:, 2],
    }
    inputs = {**_scalars(cosmology), **_scalars(tripp), **_scalars(population)}
    meta = Meta(origin="simulated", provenance={"truth": inputs})
    return SaltFits.from_columns({k: np.asarray(v) for k, v in columns.items()}, meta=meta)


def _true_parameters(
    mu: Float[Array, " sn"],
    z: Float[Array, " sn"],
    logmass: Float[Array, " sn"],
    key: Key[Array, ""],
    tripp: Tripp,
    population: Population,
    lensing: float,
) -> Float[Array, "sn 3"]:
    """True mb, x1, c; mb with its intrinsic scatter and lensing."""
    unit = jax.random.normal(key, (4, *z.shape))
    x1 = population.x1_mean + population.x1_sigma * unit[0]
    c = population.c_mean + population.c_sigma * unit[1]
    step = tripp.gamma * (jnp.where(logmass > HOST_STEP_LOGMASS, 1.0, 0.0) - 0.5)
    scatter = population.sigma_int * unit[2] + lensing * z * unit[3]
    mb = mu + tripp.M - tripp.alpha * x1 + tripp.beta * c - step + scatter
    return jnp.stack([mb, x1, c], axis=1)


def fit_covariance(
    z: Float[Array, " sn"], size: Float[Array, " sn"]
) -> tuple[Float[Array, "sn 3 3"], Float[Array, "sn 3 3"]]:
    """Covariance of the fitted (mb, x1, c) at a redshift, and its root.

    Parameters
    ----------
    z : Array, shape (sn,)
        Redshifts.
    size : Array, shape (sn,)
        Unit normal: the errors of each supernova are exp(0.2 size) times those of its redshift.

    Returns
    -------
    tuple of Array, shape (sn, 3, 3)
        Covariance and lower root.
    """
    floor, slope = jnp.asarray([0.03, 0.15, 0.02]), jnp.asarray([0.05, 0.6, 0.04])
    sigma = floor[None, :] + slope[None, :] * z[:, None]
    sigma = sigma * jnp.exp(0.2 * size)[:, None]
    covariance = sigma[:, :, None] * sigma[:, None, :] * jnp.asarray(_CORRELATION)[None]
    root = sigma[:, :, None] * jnp.asarray(np.linalg.cholesky(_CORRELATION))[None]
    return covariance, root


def _measure(
    truth: Float[Array, "sn 3"], z: Float[Array, " sn"], key: Key[Array, ""]
) -> tuple[Float[Array, "sn 3"], Float[Array, "sn 3 3"]]:
    """Add the errors of the light-curve fit."""
    key_size, key_noise = jax.random.split(key)
    covariance, root = fit_covariance(z, jax.random.normal(key_size, z.shape))
    noise = jnp.einsum("nij,nj->ni", root, jax.random.normal(key_noise, truth.shape))
    return truth + noise, covariance


def fit_columns(measured: np.ndarray, covariance: np.ndarray) -> dict[str, Any]:
    """Columns of a `SaltFits` of measured (mb, x1, c)."""
    mb, x1, c = measured.T
    err = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    x0 = 10.0 ** (-0.4 * (mb - _X0_UNIT_MAG))
    dx0 = -0.4 * np.log(10.0) * x0
    zero = np.zeros_like(mb)
    return {
        "t0": 59000.0 + zero,
        "t0_err": 0.3 + zero,
        "x0": x0,
        "x0_err": np.abs(dx0) * err[:, 0],
        "x1": x1,
        "x1_err": err[:, 1],
        "c": c,
        "c_err": err[:, 2],
        "mb": mb,
        "mb_err": err[:, 0],
        "cov_t0_x0": zero,
        "cov_t0_x1": zero,
        "cov_t0_c": zero,
        "cov_x0_x1": dx0 * covariance[:, 0, 1],
        "cov_x0_c": dx0 * covariance[:, 0, 2],
        "cov_x1_c": covariance[:, 1, 2],
        "cov_mb_x1": covariance[:, 0, 1],
        "cov_mb_c": covariance[:, 0, 2],
        "chi2": 60.0 + zero,
        "ndof": np.full(len(mb), 60),
    }


def _scalars(module: Cosmology | Tripp | Population) -> dict[str, float]:
    """Fields of a module of scalars as plain numbers."""
    return {name: float(value) for name, value in vars(module).items()}
