"""The standardization stage: SALT fits in, a Lemaitre diagram with its covariance out."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from chandelle.core.config import StageConfig
from chandelle.core.errors import NotConvergedError
from chandelle.core.flags import Flag
from chandelle.core.precision import require_x64
from chandelle.inference.maximize import Maximum, maximize
from chandelle.inference.problem import Problem
from chandelle.numerics.covariance import BlockLowRank
from chandelle.physics.sample import SaltCuts, SaltSample, salt_sample, select_fits
from chandelle.physics.standardization import Tripp, tripp_modulus, tripp_variance
from chandelle.products.diagram import Diagram
from chandelle.products.product import expect_product
from chandelle.products.saltfits import SaltFits
from chandelle.standardization.distances import conditional_moduli
from chandelle.standardization.likelihood import (
    distance_knots,
    free_distance_likelihood,
    hat_functions,
    parameters_of,
    reference_modulus,
)

_log = logging.getLogger(__name__)

OUTLIER_SIGMA = 5.0
"""Distance from the mean line of the diagram beyond which a supernova is flagged and named."""
_NAMED = 5


class StandardizeConfig(StageConfig):
    """Settings of the standardization.

    `sigma_v_km_s` is the scatter of peculiar velocities, `lensing` the scatter from lensing at
    z = 1 in mag.
    """

    cuts: SaltCuts = SaltCuts()
    sigma_v_km_s: float = Field(default=250.0, ge=0)
    lensing: float = Field(default=0.055, ge=0)


def standardize(fits: SaltFits, **settings: Any) -> Diagram:
    r"""Standardize SALT fits into distance moduli with their covariance.

    alpha, beta, gamma, sigma_int and the Gaussian population of true x1 and c are fitted
    together, true x1 and c integrated out (so that errors in variables do not bias them), and with
    distances free in redshift: a linear spline in ln z on top of flat LCDM, integrated out. So
    no cosmology is assumed. The distance modulus is mb minus its expectation given the observed x1
    and c (`standardization.distances`), as the hierarchical fit of `fit_cosmology` takes it, with

    .. math:: C = \mathrm{diag}(\mathrm{Var}[m_B\,|\,x_1, c]) + U U^T

    and U from the joint error of all that was fitted. The columns `mu_tripp` and `mu_tripp_err`
    hold the plain Tripp relation on measured mb, x1, c, for comparison: its errors depend on
    brightness, which biases a fit to it. The zero point M is chosen so that the mean residual to
    flat LCDM (Om = 0.3, H0 = 70) is zero; it carries no information.

    Parameters
    ----------
    fits : SaltFits
        One row a supernova; rows without an answer, and those that fail the cuts, are counted.
    **settings
        Fields of `StandardizeConfig`.

    Returns
    -------
    Diagram
        Origin and blinding as of the fits. ``meta.provenance["standardization"]`` holds the
        coefficients with their errors and what was rejected.

    Raises
    ------
    InputError
        If a setting is unknown, or too few fits pass the cuts.
    NotConvergedError
        If the maximum was not found.
    """
    require_x64()
    expect_product(fits, SaltFits, caller="standardize")
    config = StandardizeConfig.of("standardize", **settings)
    kept, rejected = select_fits(fits, config.cuts)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items()))
    _log.info(
        "%d in, %d used, %d rejected%s",
        len(fits),
        len(kept),
        sum(rejected.values()),
        f": {reasons}" if reasons else "",
        extra={"rejected": rejected},
    )
    sample = salt_sample(
        kept, config.cuts, sigma_v_km_s=config.sigma_v_km_s, lensing=config.lensing
    )
    has_host = bool(np.isfinite(kept["host_logmass"]).any())
    likelihood = free_distance_likelihood(sample, kept["z_hd"], kept["z_hel"])
    problem = Problem(parameters_of(has_host=has_host), likelihood)
    best = maximize(problem)
    if best.status == "not converged":
        raise NotConvergedError(
            f"standardization of {len(kept)} supernovae: {best.reason}; loosen the cuts, or look "
            "at the fits' errors"
        )
    if best.status == "at bound":
        _log.warning("standardization: %s", best.reason)
    facts = {
        "settings": config.model_dump(),
        "coefficients": _coefficients(problem, best),
        "status": f"{best.status}{': ' if best.reason else ''}{best.reason}",
        "n_in": len(fits),
        "n_used": len(kept),
        "rejected": rejected,
    }
    return _diagram(kept, sample, best, facts)


def _coefficients(problem: Problem, best: Maximum) -> dict[str, dict[str, float]]:
    """Best value and error of each parameter."""
    errors = np.sqrt(np.diagonal(best.covariance))
    return {
        name: {"value": best.values[name], "err": float(error)}
        for name, error in zip(problem.names, errors, strict=True)
    }


def _diagram(kept: SaltFits, sample: SaltSample, best: Maximum, facts: dict[str, Any]) -> Diagram:
    """Distance moduli and covariance at the best coefficients."""
    mu, variance, modes = conditional_moduli(sample, best)
    reference = np.asarray(reference_modulus(kept["z_hd"], kept["z_hel"]))
    m_abs = float(np.average(mu - reference, weights=1.0 / variance))
    tripp = Tripp(best.values["alpha"], best.values["beta"], best.values.get("gamma", 0.0), M=m_abs)
    plain = tripp_modulus(sample.mb, sample.x1, sample.c, sample.p_high, tripp=tripp)
    plain_variance = tripp_variance(sample.covariance, sample.p_high, tripp=tripp)
    plain_variance = plain_variance + best.values["sigma_int"] ** 2 + sample.extra_variance
    columns = {
        "sn": kept["sn"],
        "z_hel": kept["z_hel"],
        "z_hd": kept["z_hd"],
        "mu": mu - m_abs,
        "survey": kept["survey"],
        "flags": kept.flags | _flags_of(kept, mu - reference, variance),
        "x1": kept["x1"],
        "c": kept["c"],
        "p_high": np.asarray(sample.p_high),
        "mu_tripp": np.asarray(plain),
        "mu_tripp_err": np.sqrt(np.asarray(plain_variance)),
    }
    return Diagram.from_columns(
        columns,
        meta=kept.meta.with_provenance(standardization={**facts, "M": m_abs}),
        covariance=BlockLowRank(diagonal=variance, factor=modes),
    )


def _flags_of(
    kept: SaltFits, residual: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Flag unknown hosts, and what lies far off the mean line, which is named in the log."""
    weight = 1.0 / np.sqrt(variance)
    z = kept["z_hd"]
    hats = hat_functions(np.log(z), distance_knots(z)) * weight[:, None]
    line, *_ = np.linalg.lstsq(hats, residual * weight, rcond=None)
    pull = residual * weight - hats @ line
    far = np.flatnonzero(np.abs(pull) > OUTLIER_SIGMA)
    if len(far):
        worst = far[np.argsort(-np.abs(pull[far]))]
        named = ", ".join(f"{kept['sn'][i]} ({pull[i]:+.1f})" for i in worst[:_NAMED])
        _log.warning(
            "%d supernovae lie more than %g sigma off the diagram: %s; look at their redshift and "
            "class, nothing was cut",
            len(far),
            OUTLIER_SIGMA,
            named + (", ..." if len(far) > _NAMED else ""),
        )
    flags = np.where(np.isfinite(kept["host_logmass"]), 0, int(Flag.HOST_UNKNOWN))
    flags[far] |= int(Flag.OUTLIER)
    return flags
