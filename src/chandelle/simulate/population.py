r"""Supernovae as nature makes them: redshift, host, stretch, color, brightness.

.. math:: m_B = \mu(z) + M - \alpha x_1 + \beta c - \gamma (h - 1/2) + \epsilon_{int} + \ell z\,\eta

h is 1 in a host heavier than 10^10 suns, else 0. This is the model that the hierarchical fit
assumes, drawn: a closure test of the fit, not of the assumption.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from chandelle.core.units import C_KM_S
from chandelle.physics.distance import (
    Cosmology,
    comoving_distance,
    distance_modulus,
    expansion_squared,
)
from chandelle.physics.standardization import HOST_STEP_LOGMASS

_Z_GRID = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Nature:
    """True parameters of a simulated universe and its supernovae.

    Attributes
    ----------
    Om, H0 : float
        Flat Lambda-CDM; H0 in km/s/Mpc.
    alpha, beta, gamma, M, sigma_int : float
        Tripp relation, host step and intrinsic scatter [mag].
    x1_mean, x1_sigma, c_mean, c_sigma : float
        Gaussian populations of stretch and color.
    logmass_mean, logmass_sigma, logmass_err : float
        Gaussian population of host masses (log10 of suns), and the error they are measured with.
    sigma_v_km_s : float, km/s
        Scatter of peculiar velocities.
    lensing : float, mag
        Scatter from lensing at z = 1, proportional to z.
    mwebv_mean, mwebv_max : float, mag
        E(B-V) of the Milky Way: 0.01 plus an exponential, cut at the maximum.
    rate_slope : float
        Volumetric rate goes as (1 + z) to this power.
    """

    Om: float = 0.3
    H0: float = 70.0
    alpha: float = 0.15
    beta: float = 3.1
    gamma: float = 0.1
    M: float = -19.3
    sigma_int: float = 0.1
    x1_mean: float = 0.0
    x1_sigma: float = 0.9
    c_mean: float = -0.02
    c_sigma: float = 0.08
    logmass_mean: float = 10.2
    logmass_sigma: float = 0.8
    logmass_err: float = 0.15
    sigma_v_km_s: float = 250.0
    lensing: float = 0.055
    mwebv_mean: float = 0.04
    mwebv_max: float = 0.15
    rate_slope: float = 1.5

    @property
    def cosmology(self) -> Cosmology:
        """The cosmology."""
        return Cosmology(Om=self.Om, H0=self.H0)


class Supernova(eqx.Module):
    """What was drawn for one supernova; under `vmap` for many.

    Attributes
    ----------
    z_cos, z_obs : Array
        Cosmological redshift, and that with the peculiar velocity.
    vpec : Array, km/s
        Peculiar velocity, away from us positive.
    x1, c, mb, mu : Array
        Stretch, color, peak magnitude in rest-frame B, distance modulus.
    logmass, logmass_obs : Array
        log10 of the host's mass in suns, true and measured.
    mwebv : Array, mag
        E(B-V) of the Milky Way.
    ra, dec : Array, deg
        Anywhere on the sky, north of -30 degrees.
    season : Array
        Where in the season the maximum falls, 0 to 1.
    """

    z_cos: Float[Array, "*sn"]
    z_obs: Float[Array, "*sn"]
    vpec: Float[Array, "*sn"]
    x1: Float[Array, "*sn"]
    c: Float[Array, "*sn"]
    mb: Float[Array, "*sn"]
    mu: Float[Array, "*sn"]
    logmass: Float[Array, "*sn"]
    logmass_obs: Float[Array, "*sn"]
    mwebv: Float[Array, "*sn"]
    ra: Float[Array, "*sn"]
    dec: Float[Array, "*sn"]
    season: Float[Array, "*sn"]


class RedshiftLaw(eqx.Module):
    r"""Redshifts of a volumetric rate, by the inverse of their cumulative distribution.

    .. math:: \frac{dN}{dz} \propto \frac{(1+z)^s}{1+z} \frac{d_C^2(z)}{E(z)}

    The observer's clock runs slower than the supernovae's by 1 + z.
    """

    z: Float[Array, " node"]
    cumulative: Float[Array, " node"]

    @classmethod
    def of(cls, nature: Nature, z_min: Float[Array, ""], z_max: Float[Array, ""]) -> "RedshiftLaw":
        """Tabulate the law between two redshifts."""
        z = jnp.linspace(z_min, z_max, _Z_GRID)
        squared = expansion_squared(jnp.log1p(z), nature.cosmology)
        volume = comoving_distance(z, nature.cosmology) ** 2 / jnp.sqrt(squared)
        density = volume * (1.0 + z) ** (nature.rate_slope - 1.0)
        steps = 0.5 * (density[1:] + density[:-1])
        cumulative = jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
        return cls(z=z, cumulative=cumulative / cumulative[-1])

    def __call__(self, uniform: Float[Array, ""]) -> Float[Array, ""]:
        """Redshift below which a share `uniform` of the supernovae lies."""
        return jnp.interp(uniform, self.cumulative, self.z)


def draw_supernova(law: RedshiftLaw, nature: Nature, *, key: Key[Array, ""]) -> Supernova:
    """Draw one supernova.

    Redshifts are those of an observer at rest in the frame of the cosmic background, so that
    heliocentric and background redshifts are one.

    Parameters
    ----------
    law : RedshiftLaw
        Distribution of redshifts.
    nature : Nature
        True parameters.
    key : key
        Random key of this supernova.

    Returns
    -------
    Supernova
        Scalars.
    """
    u = jax.random.uniform(key, (5,))
    normal = jax.random.normal(jax.random.fold_in(key, 1), (7,))
    z_cos = law(u[0])
    vpec = nature.sigma_v_km_s * normal[0]
    z_obs = (1.0 + z_cos) * (1.0 + vpec / C_KM_S) - 1.0
    x1 = nature.x1_mean + nature.x1_sigma * normal[1]
    c = nature.c_mean + nature.c_sigma * normal[2]
    logmass = nature.logmass_mean + nature.logmass_sigma * normal[3]
    is_heavy = jnp.where(logmass > HOST_STEP_LOGMASS, 1.0, 0.0)
    mu = distance_modulus(z_cos[None], z_obs[None], nature.cosmology)[0]
    scatter = nature.sigma_int * normal[5] + nature.lensing * z_cos * normal[6]
    mb = mu + nature.M - nature.alpha * x1 + nature.beta * c - nature.gamma * (is_heavy - 0.5)
    share = -jnp.expm1(-(nature.mwebv_max - 0.01) / nature.mwebv_mean)
    sin_dec = u[2] * 1.5 - 0.5
    return Supernova(
        z_cos=z_cos,
        z_obs=z_obs,
        vpec=vpec,
        x1=x1,
        c=c,
        mb=mb + scatter,
        mu=mu,
        logmass=logmass,
        logmass_obs=logmass + nature.logmass_err * normal[4],
        mwebv=0.01 - nature.mwebv_mean * jnp.log1p(-u[3] * share),
        ra=360.0 * u[1],
        dec=jnp.arcsin(sin_dec) * (180.0 / np.pi),
        season=u[4],
    )
