"""The cosmology stage: a diagram or SALT fits in, a posterior out."""

import logging
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from chandelle.core.config import StageConfig
from chandelle.core.errors import BlindedError
from chandelle.core.precision import require_x64
from chandelle.core.rng import key_for
from chandelle.cosmology.likelihood import DiagramLikelihood, SaltLikelihood, parameters_of
from chandelle.inference.diagnostics import diagnose
from chandelle.inference.maximize import Maximum, maximize
from chandelle.inference.nuts import Draws, sample_nuts
from chandelle.inference.problem import Problem
from chandelle.physics.distance import DistanceOperator, ModelName
from chandelle.physics.population import NUISANCE_PRIORS
from chandelle.physics.sample import SaltCuts, salt_sample, select_fits
from chandelle.products.diagram import Diagram
from chandelle.products.posterior import Posterior
from chandelle.products.product import Meta, expect_product
from chandelle.products.saltfits import SaltFits

_log = logging.getLogger(__name__)
_N_DRAWS_FITS, _N_DRAWS_DIAGRAM, _N_DRAWS_DEGENERATE = 1000, 5000, 20_000


class CosmologyConfig(StageConfig):
    """Settings of the cosmology stage.

    `cuts`, `sigma_v_km_s` (scatter of peculiar velocities) and `lensing` (mag at z = 1) are used
    on SALT fits only; a diagram has them in its covariance. `n_draws` is a chain's: unless told
    otherwise 1000 for SALT fits, 5000 for a diagram, 20 000 where it has three parameters or more,
    which distances alone constrain badly.
    """

    model: ModelName = "flat-lcdm"
    seed: int = 1
    n_chains: int = Field(default=4, ge=2)
    n_warmup: int = Field(default=500, ge=20)
    n_draws: int | None = Field(default=None, ge=4)
    target_acceptance: float = Field(default=0.9, gt=0, lt=1)
    cuts: SaltCuts = SaltCuts()
    sigma_v_km_s: float = Field(default=250.0, ge=0)
    lensing: float = Field(default=0.055, ge=0)


def fit_cosmology(
    data: Diagram | SaltFits,
    *,
    model: str = "flat-lcdm",
    unblind: bool = False,
    published: bool = False,
    seed: int = 1,
    **settings: Any,
) -> Posterior:
    """Draw from the posterior of a cosmological model.

    Of a diagram, distances are fitted with their covariance and a free constant offset M. Of
    SALT fits, the hierarchical model is: alpha, beta, gamma, sigma_int and the Gaussian population
    of true x1 and c are fitted together with the cosmology, true x1 and c integrated out. In
    both, M is integrated out and drawn back. H0 is 70 km/s/Mpc: without a calibrator it is
    degenerate with M. gamma is fitted only if some host mass is known. Priors are uniform; the
    posterior states their bounds.

    Parameters
    ----------
    data : Diagram or SaltFits
        Distances, or fits of light curves.
    model : str
        "flat-lcdm", "lcdm", "flat-wcdm", "wcdm", "flat-w0wacdm" or "w0wacdm".
    unblind : bool
        Give results on real data, or on data of unknown origin.
    published : bool
        Declare that data of unknown origin are published.
    seed : int
        Root of the random keys.
    **settings
        Other fields of `CosmologyConfig` (n_chains, n_warmup, n_draws, cuts, ...).

    Returns
    -------
    Posterior
        With status "not converged", and no summary, where the chains do not pass the gate.

    Raises
    ------
    BlindedError
        If the data are real or of unknown origin and neither `unblind` nor `published` says so.
    InputError
        If the model or a setting is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from chandelle.physics.distance import Cosmology, distance_modulus
    >>> z = jnp.geomspace(0.02, 1.0, 200)
    >>> mu = np.asarray(distance_modulus(z, z, Cosmology(Om=0.3)))
    >>> z = np.asarray(z)
    >>> dia = Diagram.from_arrays(z_hel=z, z_hd=z, mu=mu, cov=np.full(200, 0.01),
    ...                           origin="simulated")
    >>> round(fit_cosmology(dia).best_fit["Om"], 4)
    0.3
    """
    require_x64()
    expect_product(data, Diagram, SaltFits, caller="fit_cosmology")
    config = CosmologyConfig.of("fit_cosmology", model=model, seed=seed, **settings)
    meta = require_open(data.meta, unblind=unblind, published=published)
    rejected: dict[str, int] = {}
    if isinstance(data, SaltFits):
        fits, rejected = select_fits(data, config.cuts)
        problem, n_data = salt_problem(fits, config), len(fits)
    else:
        problem = Problem(parameters_of(config.model), DiagramLikelihood.of(data))
        n_data = len(data)
    best = maximize(problem)
    center = maximize(problem, target="density")
    draws = sample_nuts(
        problem,
        center,
        key=key_for(config.seed, "cosmology", "nuts"),
        n_chains=config.n_chains,
        n_warmup=config.n_warmup,
        n_draws=config.n_draws or _default_draws(data, problem),
        target_acceptance=config.target_acceptance,
    )
    facts = {"cosmology": config.model_dump(), "rejected": rejected, "H0_km_s_mpc": 70.0}
    return _posterior(problem, best, draws, config, n_data, meta.with_provenance(**facts))


def _default_draws(data: Diagram | SaltFits, problem: Problem) -> int:
    if isinstance(data, SaltFits):
        return _N_DRAWS_FITS
    return _N_DRAWS_DIAGRAM if len(problem.parameters) < 3 else _N_DRAWS_DEGENERATE


def salt_problem(fits: SaltFits, config: CosmologyConfig) -> Problem:
    """Set the hierarchical problem of selected SALT fits up.

    Parameters
    ----------
    fits : SaltFits
        What `select_fits` kept.
    config : CosmologyConfig
        Model, cuts and noise.

    Returns
    -------
    Problem
        Without gamma where no host mass is known.
    """
    has_host = bool(np.isfinite(fits["host_logmass"]).any())
    nuisance = tuple(name for name in NUISANCE_PRIORS if has_host or name != "gamma")
    sample = salt_sample(
        fits, config.cuts, sigma_v_km_s=config.sigma_v_km_s, lensing=config.lensing
    )
    operator = DistanceOperator.at(fits["z_hd"], fits["z_hel"])
    parameters = parameters_of(config.model, nuisance=nuisance)
    return Problem(parameters, SaltLikelihood(operator=operator, sample=sample))


def require_open(meta: Meta, *, unblind: bool, published: bool) -> Meta:
    """Refuse cosmology on data that nobody has said may be looked at.

    Parameters
    ----------
    meta : Meta
        Of the data.
    unblind, published : bool
        As `fit_cosmology` takes them.

    Returns
    -------
    Meta
        With what was said.

    Raises
    ------
    BlindedError
        If the data are real or of unknown origin and neither says so.
    """
    if meta.origin is None and published:
        return Meta(origin="published", blinding=meta.blinding, provenance=meta.provenance)
    if meta.origin in ("simulated", "published"):
        return meta
    if unblind:
        return meta.with_provenance(unblinded=True)
    origin = meta.origin or "unknown"
    mend = "" if meta.origin else ", or published=True (--published) if the data are public"
    raise BlindedError(
        f"the origin of these data is {origin}: cosmology on them stays closed until the analysis "
        f"is frozen; say unblind=True (--unblind){mend}"
    )


@eqx.filter_jit
def _draw_offsets(
    problem: Problem, values: dict[str, Float[Array, " draw"]], normals: Float[Array, " draw"]
) -> Float[Array, " draw"]:
    """M of every draw, a few at a time."""
    draw = problem.log_likelihood.draw_offset  # pyright: ignore[reportFunctionMemberAccess]
    return jax.lax.map(lambda pair: draw(*pair), (values, normals), batch_size=64)


def _posterior(
    problem: Problem,
    best: Maximum,
    draws: Draws,
    config: CosmologyConfig,
    n_data: int,
    meta: Meta,
) -> Posterior:
    """Draw M back, pass the gate, make the product."""
    shape = next(iter(draws.values.values())).shape
    n = shape[0] * shape[1]
    normals = jax.random.normal(key_for(config.seed, "cosmology", "offset"), (n,))
    # The last entry is the maximum itself, with M at its conditional mean.
    flat = {k: jnp.asarray(np.append(v.ravel(), best.values[k])) for k, v in draws.values.items()}
    offsets = np.asarray(_draw_offsets(problem, flat, jnp.append(normals, 0.0)))
    values = {**draws.values, "M": offsets[:-1].reshape(shape)}
    diagnosis = diagnose(values, draws.sample_stats["diverging"])
    status, reason = diagnosis.status, diagnosis.reason
    if best.status == "not converged":
        status = "not converged"
        reason = "; ".join(filter(None, (f"maximum: {best.reason}", reason)))
    elif best.status == "at bound" and status == "ok":
        reason = f"best fit: {best.reason}"
    priors = {p.name: p.prior for p in problem.parameters} | {"M": "flat"}
    _log.info("%s on %d supernovae: %s %s", config.model, n_data, status, reason)
    return Posterior(
        model=config.model,
        draws=values,
        best_fit={**best.values, "M": float(offsets[-1])},
        chi2=-2.0 * best.value,
        n_data=n_data,
        ess=diagnosis.ess_bulk,
        r_hat=diagnosis.r_hat,
        priors=priors,
        status=status,
        reason=reason,
        sample_stats=draws.sample_stats,
        meta=meta,
    )
