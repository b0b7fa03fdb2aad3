"""Residuals of a Lemaitre diagram to a cosmology, the constant of the magnitudes fitted away."""

from dataclasses import dataclass
from itertools import pairwise

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.physics.distance import Cosmology, distance_modulus, free_parameters
from chandelle.products.diagram import Diagram
from chandelle.products.posterior import Posterior

_REFERENCE_OM = 0.3
_POINTS = 200
_modulus = eqx.filter_jit(distance_modulus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A cosmology drawn through a diagram.

    Attributes
    ----------
    label : str
        What is drawn, in words.
    z, mu : array, shape (point,)
        The curve, with the offset.
    at_sn : array, shape (sn,), mag
        The curve at each supernova, with the offset.
    """

    label: str
    z: NDArray[np.float64]
    mu: NDArray[np.float64]
    at_sn: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Weighted means of residuals in bins of log redshift, shapes (bin,)."""

    z: NDArray[np.float64]
    mean: NDArray[np.float64]
    err: NDArray[np.float64]


def curve_of(diagram: Diagram, posterior: Posterior | None = None) -> Curve:
    r"""Lay the best fit of a posterior through a diagram.

    The distances are known up to a constant, so the offset of least chi2 is added to the curve,

    .. math:: o = \frac{1^T C^{-1} (\mu - \mu_{model})}{1^T C^{-1} 1}

    Without a posterior that converged the curve is flat LCDM with Om = 0.3; for distances that
    are neither simulated nor published a cubic in ln z is fitted on top of it, so that the
    residuals show scatter and outliers, but no cosmology.

    Parameters
    ----------
    diagram : Diagram
        One supernova or more.
    posterior : Posterior, optional
        Gives the cosmology.

    Returns
    -------
    Curve
        On 200 redshifts evenly spaced in the logarithm, its label says what it is.
    """
    cosmology, label = Cosmology(Om=jnp.asarray(_REFERENCE_OM)), ""
    if posterior is not None and posterior.status == "ok":
        names = [n for n in free_parameters(posterior.model) if n in posterior.best_fit]
        cosmology = Cosmology(**{n: jnp.asarray(float(posterior.best_fit[n])) for n in names})
        values = ", ".join(f"{n} = {posterior.best_fit[n]:.3f}" for n in names)
        label = f"best fit, {posterior.model}: {values}"
    is_open = bool(label) or diagram.meta.origin in ("simulated", "published")
    powers = 1 if is_open else min(4, len(diagram))
    blind = "smooth curve through the data (no cosmology: not unblinded)"
    label = label or (f"flat LCDM with Om = {_REFERENCE_OM:g} (not a fit)" if is_open else blind)
    low, high = diagram["z_hd"].min(), diagram["z_hd"].max()
    z = np.geomspace(low / 1.1, high * 1.1, _POINTS)
    z_hd, z_hel = np.append(diagram["z_hd"], z), np.append(diagram["z_hel"], z)
    bare = np.asarray(_modulus(jnp.asarray(z_hd), jnp.asarray(z_hel), cosmology))
    bare, mu = bare[: len(diagram)], bare[len(diagram) :]
    design = np.vander(np.log(diagram["z_hd"]), powers, increasing=True)
    weighted = np.asarray(diagram.covariance.factorize().solve(jnp.asarray(design))).T
    free = np.linalg.lstsq(weighted @ design, weighted @ (diagram["mu"] - bare), rcond=None)[0]
    mu = mu + np.vander(np.log(z), powers, increasing=True) @ free
    return Curve(label=label, z=z, mu=mu, at_sn=bare + design @ free)


def bin_residuals(
    z: NDArray[np.float64],
    residual: NDArray[np.float64],
    err: NDArray[np.float64],
    *,
    n_bins: int = 12,
    at_least: int = 5,
) -> Bins:
    r"""Average residuals in bins of log redshift with weights :math:`1/\sigma^2`.

    Errors are those of independent supernovae; the diagram's correlations do not enter.

    Parameters
    ----------
    z, residual, err : array, shape (sn,)
        Redshift; residual and its error [mag].
    n_bins : int
        Bins between the lowest and the highest redshift.
    at_least : int
        Bins with fewer supernovae are left out.

    Returns
    -------
    Bins
        Mean redshift, mean residual and its error of each bin kept.
    """
    edges = np.geomspace(z.min(), z.max() * (1 + 1e-9), n_bins + 1)
    rows = []
    for low, high in pairwise(edges):
        inside = (z >= low) & (z < high)
        if inside.sum() >= at_least:
            weight = 1.0 / err[inside] ** 2
            total = weight.sum()
            rows.append(
                (
                    np.exp(np.log(z[inside]).mean()),
                    weight @ residual[inside] / total,
                    1.0 / np.sqrt(total),
                )
            )
    columns = np.asarray(rows, dtype=float).reshape(-1, 3).T
    return Bins(z=columns[0], mean=columns[1], err=columns[2])
