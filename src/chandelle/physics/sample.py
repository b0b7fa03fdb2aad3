"""Which SALT fits take part in a diagram, and their numbers as arrays for the likelihoods."""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.units import C_KM_S
from chandelle.physics.standardization import high_mass_probability, redshift_variance
from chandelle.products.saltfits import SaltFits

_REFUSED_FLAGS = Flag.AT_BOUND | Flag.UPPER_LIMIT
_MIN_SUPERNOVAE = 10
_CUT_NODES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SaltCuts:
    """Which fits are standardized.

    The defaults are those of the field (Betoule et al. 2014, Scolnic et al. 2022): |x1| <= 3,
    |c| <= 0.3, errors small enough for the parameter to be measured, z_hd >= 0.01.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    x1_max: float = 3.0
    c_min: float = -0.3
    c_max: float = 0.3
    x1_err_max: float = 1.5
    c_err_max: float = 0.3
    z_min: float = 0.01
    z_max: float = 10.0
    drop_bad_chi2: bool = False


def reject_reasons(fits: SaltFits, cuts: SaltCuts) -> np.ndarray:
    """Say why each fit is left out.

    Parameters
    ----------
    fits : SaltFits
        All fits.
    cuts : SaltCuts
        The cuts.

    Returns
    -------
    array of str, shape (sn,)
        The first reason that applies, empty for a fit that is used.
    """
    refused = _REFUSED_FLAGS | (Flag.CHI2_BAD if cuts.drop_bad_chi2 else 0)
    covariance = fits.distance_covariance()
    is_measured = np.isfinite(covariance).all(axis=(1, 2))
    for name in ("mb", "x1", "c", "z_hel", "z_hd"):
        is_measured &= np.isfinite(fits[name])
    safe = np.where(is_measured[:, None, None], covariance, np.eye(3)[None])
    is_definite = np.linalg.eigvalsh(safe)[:, 0] > 0
    flagged = (fits.flags & int(refused)) != 0
    tests = {
        "z_hd unknown": ~np.isfinite(fits["z_hd"]),
        "not finite": ~is_measured,
        "covariance not positive": ~is_definite,
        "flag": flagged,
        "z": ~((fits["z_hd"] >= cuts.z_min) & (fits["z_hd"] <= cuts.z_max)),
        "x1": ~(np.abs(fits["x1"]) <= cuts.x1_max),
        "c": ~((fits["c"] >= cuts.c_min) & (fits["c"] <= cuts.c_max)),
        "x1_err": ~(fits["x1_err"] <= cuts.x1_err_max),
        "c_err": ~(fits["c_err"] <= cuts.c_err_max),
    }
    status = np.where(fits.is_ok, "", fits["status"].astype(str))
    status = np.where(~fits.is_ok & (status == ""), "no status", status)
    reasons = status.astype("<U64")
    for reason, fails in tests.items():
        reasons[(reasons == "") & fails] = reason
    return reasons


def select_fits(fits: SaltFits, cuts: SaltCuts) -> tuple[SaltFits, dict[str, int]]:
    """Keep the fits that pass the cuts, count the others by reason.

    Parameters
    ----------
    fits : SaltFits
        All fits.
    cuts : SaltCuts
        The cuts.

    Returns
    -------
    SaltFits
        Those used.
    dict of str to int
        Number rejected by reason.

    Raises
    ------
    InputError
        If fewer than 10 are left, or a name comes twice among them.
    """
    reasons = reject_reasons(fits, cuts)
    rejected = dict(Counter(reasons[reasons != ""].tolist()))
    kept = fits.select(reasons == "")
    if len(kept) < _MIN_SUPERNOVAE:
        raise InputError(
            f"{len(kept)} of {len(fits)} fits pass the cuts, {_MIN_SUPERNOVAE} are needed; "
            f"rejected: {', '.join(f'{n} {reason}' for reason, n in rejected.items()) or 'none'}; "
            + (
                "give the targets z_hd, or z_cmb"
                if "z_hd unknown" in rejected
                else f"loosen the cuts ({cuts})"
            )
        )
    names, counts = np.unique(kept["sn"].astype(str), return_counts=True)
    if (counts > 1).any():
        raise InputError(f"{names[counts > 1][0]} comes {counts.max()} times; keep one fit a name")
    return kept, rejected


class Cut(eqx.Module):
    r"""A cut on an observed parameter, and the measurement errors of those that passed it.

    A sum over supernovae of a smooth function of their variance :math:`v_i` is a sum over a few
    nodes, :math:`\sum_i f(v_i) = \sum_k w_k f(v_k)` with :math:`w_k = \sum_i \ell_k(v_i)` the
    summed Lagrange polynomials: the normalization costs 16 evaluations for any sample.

    Attributes
    ----------
    interval : Array, shape (2,)
        Lower and upper cut.
    variance, weight : Array, shape (k,)
        Nodes and weights.
    """

    interval: Float[Array, "2"]
    variance: Float[Array, " k"]
    weight: Float[Array, " k"]

    @classmethod
    def of(cls, variance: NDArray[np.float64], lower: float, upper: float) -> "Cut":
        """Compress the variances of a parameter.

        Parameters
        ----------
        variance : array, shape (sn,)
            Measurement variances.
        lower, upper : float
            The cut.

        Returns
        -------
        Cut
            With 16 nodes between the smallest and the largest variance.
        """
        center = 0.5 * (variance.max() + variance.min())
        half = max(0.5 * np.ptp(variance), 1e-6 * center)
        x, quadrature = np.polynomial.legendre.leggauss(_CUT_NODES)
        moments = legvander((variance - center) / half, _CUT_NODES - 1).sum(axis=0)
        scaled = moments * (np.arange(_CUT_NODES) + 0.5)
        return cls(
            interval=jnp.asarray([lower, upper]),
            variance=jnp.asarray(center + half * x),
            weight=jnp.asarray(quadrature * (legvander(x, _CUT_NODES - 1) @ scaled)),
        )


class SaltSample(eqx.Module):
    """SALT fits as arrays, ready for the likelihood of the population.

    Attributes
    ----------
    mb, x1, c : Array, shape (sn,)
        Peak magnitude, stretch, color.
    covariance : Array, shape (sn, 3, 3)
        Covariance of (mb, x1, c).
    p_high : Array, shape (sn,)
        Probability of a heavy host.
    extra_variance : Array, shape (sn,), mag^2
        Peculiar velocity, redshift error, lensing.
    x1_cut, c_cut : Cut
        Cuts applied on observed x1 and c.
    """

    mb: Float[Array, " sn"]
    x1: Float[Array, " sn"]
    c: Float[Array, " sn"]
    covariance: Float[Array, "sn 3 3"]
    p_high: Float[Array, " sn"]
    extra_variance: Float[Array, " sn"]
    x1_cut: Cut
    c_cut: Cut


def salt_sample(
    fits: SaltFits, cuts: SaltCuts, *, sigma_v_km_s: float, lensing: float
) -> SaltSample:
    """Turn selected fits into arrays.

    Parameters
    ----------
    fits : SaltFits
        What `select_fits` kept.
    cuts : SaltCuts
        The cuts that were applied.
    sigma_v_km_s : float, km/s
        Scatter of peculiar velocities.
    lensing : float, mag
        Scatter from lensing at z = 1.

    Returns
    -------
    SaltSample
        The arrays.
    """
    z = jnp.asarray(fits["z_hd"])
    extra = redshift_variance(
        z, jnp.asarray(fits["z_err"]), sigma_v=sigma_v_km_s / C_KM_S, lensing=lensing
    )
    p_high = high_mass_probability(
        jnp.asarray(fits["host_logmass"]), jnp.asarray(fits["host_logmass_err"])
    )
    return SaltSample(
        mb=jnp.asarray(fits["mb"]),
        x1=jnp.asarray(fits["x1"]),
        c=jnp.asarray(fits["c"]),
        covariance=jnp.asarray(fits.distance_covariance()),
        p_high=p_high,
        extra_variance=extra,
        x1_cut=Cut.of(fits["x1_err"] ** 2, -cuts.x1_max, cuts.x1_max),
        c_cut=Cut.of(fits["c_err"] ** 2, cuts.c_min, cuts.c_max),
    )
