"""Distance moduli of Friedmann cosmologies: Lambda, w, w0-wa, with curvature, without radiation.

Two ways to the same numbers. `distance_modulus` integrates each redshift on its own. A fit that
asks the same redshifts thousands of times uses `DistanceOperator`, which evaluates the cosmology
on a few dozen nodes and interpolates, both exactly (to rounding) for smooth expansion histories.
"""

from typing import Literal, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chandelle.core.errors import InputError
from chandelle.core.units import C_KM_S

ModelName = Literal["flat-lcdm", "lcdm", "flat-wcdm", "wcdm", "flat-w0wacdm", "w0wacdm"]
"""Names of the cosmological models."""

_QUADRATURE = 24
_NODES = 48
_CURVATURE_TERMS = 20
_MAG_PER_LN = 5.0 / np.log(10.0)

_x, _w = np.polynomial.legendre.leggauss(_QUADRATURE)
_UNIT_NODES, _UNIT_WEIGHTS = 0.5 * (_x + 1.0), 0.5 * _w


class Cosmology(eqx.Module):
    r"""A Friedmann cosmology without radiation.

    .. math::

        E^2(z) = \Omega_m (1+z)^3 + \Omega_k (1+z)^2
               + \Omega_{de} (1+z)^{3(1+w+w_a)} e^{-3 w_a z/(1+z)}

    with :math:`\Omega_{de} = 1 - \Omega_m - \Omega_k`.

    Parameters
    ----------
    Om, Ok : Array
        Densities of matter and curvature today, in units of the critical one.
    w, wa : Array
        Equation of state of dark energy, w(a) = w + wa (1 - a).
    H0 : Array, km/s/Mpc
        Hubble constant; shifts all distance moduli alike.
    """

    Om: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    w: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=-1.0)
    wa: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=0.0)
    Ok: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=0.0)
    H0: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=70.0)


def free_parameters(model: str) -> tuple[str, ...]:
    """Names of the free parameters of a model.

    Parameters
    ----------
    model : str
        One of `ModelName`.

    Returns
    -------
    tuple of str
        Fields of `Cosmology` that the model leaves free.

    Raises
    ------
    InputError
        If the model is unknown.

    Examples
    --------
    >>> free_parameters("flat-wcdm")
    ('Om', 'w')
    """
    if model not in get_args(ModelName):
        known = ", ".join(get_args(ModelName))
        raise InputError(f"unknown cosmological model {model!r}; known: {known}")
    dark = {"lcdm": (), "wcdm": ("w",), "w0wacdm": ("w", "wa")}[model.removeprefix("flat-")]
    curvature = () if model.startswith("flat-") else ("Ok",)
    return ("Om", *dark, *curvature)


def expansion_squared(
    log1p_z: Float[Array, "*shape"], cosmology: Cosmology
) -> Float[Array, "*shape"]:
    """Squared expansion rate E^2 = (H/H0)^2.

    Parameters
    ----------
    log1p_z : Array
        ln(1 + z).
    cosmology : Cosmology
        The cosmology.

    Returns
    -------
    Array
        E^2; not positive where the cosmology has no such epoch (a bounce).
    """
    dark = 1.0 - cosmology.Om - cosmology.Ok
    state = (1.0 + cosmology.w + cosmology.wa) * log1p_z + cosmology.wa * jnp.expm1(-log1p_z)
    return (
        cosmology.Om * jnp.exp(3.0 * log1p_z)
        + cosmology.Ok * jnp.exp(2.0 * log1p_z)
        + dark * jnp.exp(3.0 * state)
    )


def _integrand(log1p_z: Float[Array, "*shape"], cosmology: Cosmology) -> Float[Array, "*shape"]:
    """(1 + z) / E: what is integrated over ln(1 + z); NaN in a bounce."""
    squared = expansion_squared(log1p_z, cosmology)
    is_real = squared > 0
    rate = jnp.sqrt(jnp.where(is_real, squared, 1.0))
    return jnp.where(is_real, jnp.exp(log1p_z) / rate, jnp.nan)


def curve(distance: Float[Array, "*shape"], Ok: Float[Array, ""]) -> Float[Array, "*shape"]:
    r"""Transverse comoving distance from the radial one, both in units of c/H0.

    .. math:: d_M = d \sum_k \frac{(\Omega_k d^2)^k}{(2k+1)!}

    The series of sinh and sin alike: one entire function without a branch, so every derivative
    is finite across :math:`\Omega_k = 0`. Twenty terms are exact to rounding while
    :math:`|\Omega_k| d^2 < 40`.

    Parameters
    ----------
    distance : Array
        Radial comoving distance in units of c/H0.
    Ok : Array
        Curvature density.

    Returns
    -------
    Array
        Transverse comoving distance; NaN beyond the antipode of a closed universe.
    """
    square = Ok * distance**2
    total = jnp.ones_like(distance)
    for k in range(_CURVATURE_TERMS, 0, -1):
        total = 1.0 + total * square / (2 * k * (2 * k + 1))
    return jnp.where(square > -(np.pi**2), distance * total, jnp.nan)


def comoving_distance(z: Float[Array, "*shape"], cosmology: Cosmology) -> Float[Array, "*shape"]:
    r"""Radial comoving distance.

    .. math:: d_C = \frac{c}{H_0} \int_0^{\ln(1+z)} \frac{1+z'}{E(z')}\, d\ln(1+z')

    by Gauss-Legendre quadrature with 24 nodes.

    Parameters
    ----------
    z : Array
        Redshift, cosmological.
    cosmology : Cosmology
        The cosmology.

    Returns
    -------
    Array, Mpc
        Radial comoving distance.
    """
    log1p_z = jnp.log1p(z)
    nodes = log1p_z[..., None] * jnp.asarray(_UNIT_NODES).reshape((1,) * z.ndim + (-1,))
    mean = _integrand(nodes, cosmology) @ jnp.asarray(_UNIT_WEIGHTS)
    return C_KM_S / cosmology.H0 * log1p_z * mean


def distance_modulus(
    z_hd: Float[Array, "*shape"], z_hel: Float[Array, "*shape"], cosmology: Cosmology
) -> Float[Array, "*shape"]:
    r"""Distance modulus.

    .. math:: \mu = 5 \log_{10}\left[(1 + z_{hel})\, d_M(z_{hd}) / \mathrm{Mpc}\right] + 25

    Parameters
    ----------
    z_hd : Array
        Redshift of the Hubble flow (CMB frame, corrected for peculiar velocity).
    z_hel : Array
        Heliocentric redshift.
    cosmology : Cosmology
        The cosmology.

    Returns
    -------
    Array, mag
        Distance modulus; NaN where the cosmology has no such distance.

    References
    ----------
    D. W. Hogg, 1999, arXiv:astro-ph/9905116, eqs. 14-16, 21, 25.

    Examples
    --------
    >>> z = jnp.asarray([0.5])
    >>> distance_modulus(z, z, Cosmology(Om=0.3)).round(3)
    Array([42.261], dtype=float64)
    """
    hubble = C_KM_S / cosmology.H0
    transverse = hubble * curve(comoving_distance(z_hd, cosmology) / hubble, cosmology.Ok)
    return _MAG_PER_LN * (jnp.log(transverse) + jnp.log1p(z_hel)) + 25.0


class DistanceOperator(eqx.Module):
    r"""Distance moduli at fixed redshifts for many cosmologies.

    With :math:`u = \ln(1+z)`, the function :math:`g(u) = 5\log_{10}[d_M(u)/u]` is smooth down to
    u = 0. It is computed on K Gauss-Legendre nodes of :math:`[0, u_{max}]`, the integral by the
    exact integral of the interpolating polynomial, and interpolated to the supernovae:

    .. math:: \mu_i = \mathrm{base}_i + \sum_j B_{ij}\, g_j

    One matrix product instead of 24 exponentials a supernova; and a chi2 of a diagram with
    precision matrix P needs only :math:`B^T P B`, whatever the number of supernovae.
    """

    base: Float[Array, " sn"]
    interpolation: Float[Array, "sn node"]
    log1p_z: Float[Array, " node"]
    mean_integral: Float[Array, "node node"]

    @classmethod
    def at(
        cls, z_hd: np.ndarray, z_hel: np.ndarray, *, z_max: float | None = None
    ) -> "DistanceOperator":
        """Prepare the operator for a list of redshifts.

        Parameters
        ----------
        z_hd, z_hel : array, shape (sn,)
            Redshifts of the Hubble flow and heliocentric.
        z_max : float, optional
            Largest redshift of the nodes; the largest `z_hd` when not given.

        Returns
        -------
        DistanceOperator
            Arrays of shapes (sn,), (sn, node).

        Raises
        ------
        InputError
            If there is no redshift, or one is not positive or exceeds `z_max`.
        """
        z_hd, z_hel = np.asarray(z_hd, float), np.asarray(z_hel, float)
        if not z_hd.size:
            raise InputError("distances need at least one redshift, got none")
        top = float(np.max(z_hd)) if z_max is None else z_max
        if not (np.all(z_hd > 0) and np.all(z_hd <= top) and np.all(z_hel > -1)):
            raise InputError(f"distances need 0 < z_hd <= {top:g} and z_hel > -1; cut the sample")
        u, u_max = np.log1p(z_hd), np.log1p(top)
        x, weights = np.polynomial.legendre.leggauss(_NODES)
        nodes = 0.5 * u_max * (x + 1.0)
        legendre = np.polynomial.legendre.legvander
        # Coefficients of the interpolating Legendre series, from values at the nodes.
        degree = np.arange(_NODES)
        analysis = (degree + 0.5)[:, None] * legendre(x, _NODES - 1).T * weights[None, :]
        inside = _UNIT_NODES[None, :] * nodes[:, None]
        series = legendre(2.0 * inside / u_max - 1.0, _NODES - 1)
        mean = np.einsum("q,iqk->ik", _UNIT_WEIGHTS, series)
        return cls(
            base=jnp.asarray(_MAG_PER_LN * (np.log(u) + np.log1p(z_hel))),
            interpolation=jnp.asarray(legendre(2.0 * u / u_max - 1.0, _NODES - 1) @ analysis),
            log1p_z=jnp.asarray(nodes),
            mean_integral=jnp.asarray(mean @ analysis),
        )

    def on_nodes(self, cosmology: Cosmology) -> Float[Array, " node"]:
        """Reduced distance modulus g on the nodes, mag."""
        mean = self.mean_integral @ _integrand(self.log1p_z, cosmology)
        reduced = curve(self.log1p_z * mean, cosmology.Ok) / self.log1p_z
        return _MAG_PER_LN * (jnp.log(reduced) + jnp.log(C_KM_S / cosmology.H0)) + 25.0

    def __call__(self, cosmology: Cosmology) -> Float[Array, " sn"]:
        """Distance moduli of the supernovae, mag."""
        return self.base + self.interpolation @ self.on_nodes(cosmology)
