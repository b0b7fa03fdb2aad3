"""Fits with a free redshift or dust of the host: the tables move with the parameters.

The tables are taken to second order about the point where chi2 is expanded, so its derivatives
there are exact, and only the tables' own derivatives by redshift and dust are needed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.answers import Answers
from chandelle.lightcurve.fitting.basis import tables_of
from chandelle.lightcurve.fitting.batch import Batch, make_batches
from chandelle.lightcurve.fitting.chi2 import (
    Answer,
    Epochs,
    FluxOf,
    fit_from,
    model_flux,
    solve_amplitudes,
    weights_of,
)
from chandelle.lightcurve.fitting.compiled.driver import fit_compiled
from chandelle.lightcurve.fitting.constraints import SALT_NAMES, Constraints
from chandelle.lightcurve.fitting.kernels import Light, errors_of_bands, model_errors
from chandelle.lightcurve.fitting.lanes import (
    BatchResult,
    batch_epochs,
    batch_light,
    in_phase,
    masked,
    refit_to_rest,
    write_batch,
)
from chandelle.lightcurve.fitting.limits import MAX_STEPS
from chandelle.lightcurve.fitting.problem import FitProblem
from chandelle.lightcurve.fitting.results import FitArrays
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable
from chandelle.physics.salt_covariance import BandCurve

_SIGMAS = (0.0, -0.75, 0.75, -1.5, 1.5, -2.5, 2.5)
"""Redshifts tried first, in sigma of the prior."""
_Z_LEAST = 1e-3


def fit_extended(
    problem: FitProblem, *, progress: Callable[[int], None] | None = None
) -> FitArrays:
    """Fit t0, x0, x1, c and what `problem.constraints.names` adds to them.

    A free redshift starts from the best of several fits at fixed ones, spread over its prior.

    Parameters
    ----------
    problem : FitProblem
        What to fit, and how.
    progress : callable, optional
        Called with the number done since the last call.

    Returns
    -------
    FitArrays
        One row a supernova, parameters in the order of the constraints.
    """
    names = problem.constraints.names
    start, first = _starts(problem)
    out = FitArrays.blank(len(problem), len(problem.epochs.mjd), n_param=len(names))
    out.has_rival[:] = first.has_rival
    for batch in make_batches(problem.epochs):
        result = _fit_batch(problem, batch, start[batch.target])
        rival = first.has_rival[batch.target]
        write_batch(out, batch, replace(result, has_rival=rival))
        if progress is not None:
            progress(batch.n_real)
    return out


def _starts(problem: FitProblem) -> tuple[NDArray[np.float64], FitArrays]:
    """Answers at fixed redshifts without host dust: the best of each supernova, as a start."""
    names, own = problem.constraints.names, problem.constraints
    plain = Constraints(
        names=SALT_NAMES,
        **{part: getattr(own, part)[:, :4] for part in ("low", "high", "mean", "ivar")},
    )
    start = np.zeros((len(problem), len(names)))
    best = np.full(len(problem), np.inf)
    first: FitArrays | None = None
    sigmas = _SIGMAS if "z" in names else (0.0,)
    for sigma in sigmas:
        z = problem.z
        if "z" in names:
            i = names.index("z")
            is_prior = own.ivar[:, i] > 0
            spread = np.where(is_prior, 1.0 / np.sqrt(np.where(is_prior, own.ivar[:, i], 1.0)), 0.1)
            center = np.where(is_prior, own.mean[:, i], problem.z)
            z = np.clip(center + sigma * spread, own.low[:, i], own.high[:, i])
            z = np.maximum(z, _Z_LEAST)
        found = fit_compiled(replace(problem, z=z, constraints=plain))
        # Epochs outside the range of phases count as much as those of an empty model.
        value = found.chi2 - found.chi2_empty + sigma**2
        is_better = found.is_converged & (value < best)
        best = np.where(is_better, value, best)
        if first is None:
            first, is_better = found, np.ones(len(problem), np.bool_)
        start[is_better, :4] = found.params[is_better]
        if "z" in names:
            start[is_better, names.index("z")] = z[is_better]
    assert first is not None
    return start, first


def _fit_batch(problem: FitProblem, batch: Batch, start: NDArray[np.float64]) -> BatchResult:
    settings, names = problem.settings, problem.constraints.names
    light = batch_light(problem, batch, wide=True)
    epochs = batch_epochs(problem, batch)
    steps = jnp.asarray(MAX_STEPS)

    def at(params: NDArray[np.float64]) -> Epochs:
        if "z" not in names:
            return epochs
        return eqx.tree_at(lambda e: e.z, epochs, jnp.asarray(params[:, names.index("z")]))

    def descend(params: NDArray[np.float64], used: NDArray[np.bool_], with_model: bool) -> Answers:
        curve = problem.bands.curve if with_model else None
        own = masked(epochs, used)
        lengths = problem.bands.lengths
        begin = jnp.asarray(params)
        is_free = problem.constraints.is_free
        return Answers.of(
            descend_extended(
                problem.model, light, curve, lengths, own, begin, steps, names, is_free
            )
        )

    used = in_phase(at(start), start, problem.first_range)
    answer = descend(start, used, False)
    n = len(start)
    first = BatchResult(
        answer=answer,
        has_rival=np.zeros(n, np.bool_),
        used=used,
        n_rounds=np.zeros(n, np.int64),
        is_at_rest=np.full(n, not settings.model_cov, dtype=np.bool_),
    )
    return refit_to_rest(
        first,
        lambda params, used: descend(params, used, settings.model_cov),
        lambda params: in_phase(at(params), params, settings.phase_range),
    )


@eqx.filter_jit
def descend_extended(
    model: SaltModel,
    light: Light,
    curve: BandCurve | None,
    lengths: tuple[int, int],
    epochs: Epochs,
    start: Float[Array, "lane param"],
    max_steps: Int[Array, ""],
    names: tuple[str, ...],
    is_free: bool,
) -> Answer:
    """`chi2.fit_from` of every lane with extra parameters, one lane after the other.

    Parameters
    ----------
    model, light
        Model, passbands and Milky Way dust.
    curve, lengths
        Passbands for the model covariance, taken at the start; None for none.
    epochs, start
        Data and starts of the lanes.
    max_steps : Array
        Evaluations allowed.
    names : tuple of str
        The parameters.
    is_free : bool
        Whether x0 and x1 are solved for at every step. Host dust and color dim nearly alike, x0
        grows exponentially along them, and a descent in x0 itself crawls.

    Returns
    -------
    Answer
        With a leading lane axis.
    """

    def one(args: tuple[Array, Array, Array, Epochs, Array]) -> Answer:
        passband, z, mwebv, epochs, start = args
        lane = eqx.tree_at(
            lambda part: (part.passband, part.z, part.mwebv), light, (passband, z, mwebv)
        )

        def near(center: Array) -> FluxOf:
            return flux_near(model, lane, epochs, center, names)

        errors = None
        if curve is not None:
            z_start = start[names.index("z")] if "z" in names else z
            bands = errors_of_bands(model, curve, lengths, passband, z_start)
            at_z = eqx.tree_at(lambda e: e.z, epochs, z_start)
            errors = model_errors(model, bands, at_z, start, near(start)(start))
        weights = weights_of(epochs, errors)

        def settle(params: Array) -> Array:
            if not is_free:
                return params
            flux = flux_at(model, lane, epochs, params[4:], names)
            return solve_amplitudes(params, flux=flux, epochs=epochs, weights=weights)

        return fit_from(near, epochs, weights, start=start, max_steps=max_steps, settle=settle)

    args = (light.passband, light.z, light.mwebv, epochs, start)
    return jax.lax.map(one, args)


def extras_of(
    light: Light, extra: Float[Array, " extra"], names: tuple[str, ...]
) -> tuple[Float[Array, ""], Float[Array, ""] | None]:
    """Redshift and E(B-V) of the host: fitted, or the redshift that the light has and no dust."""
    value = {name: extra[i] for i, name in enumerate(names[4:])}
    return value.get("z", light.z), value.get("host_ebv")


def tables_at(
    model: SaltModel,
    light: Light,
    extra: Float[Array, " extra"],
    names: tuple[str, ...],
    about: Float[Array, ""] | None = None,
) -> BandTable:
    """Band tables of one supernova at the values `extra` of ``names[4:]``."""
    z, host_ebv = extras_of(light, extra, names)
    return tables_of(
        model.surfaces,
        light.wave[light.passband],
        light.weight[light.passband],
        z=z,
        mwebv=light.mwebv,
        r_v=light.r_v,
        dust=light.dust,
        terms=light.terms,
        host_ebv=host_ebv,
        about=about,
    )


def flux_at(
    model: SaltModel,
    light: Light,
    epochs: Epochs,
    extra: Float[Array, " extra"],
    names: tuple[str, ...],
) -> FluxOf:
    """Model flux at given extra parameters, which it takes as fixed.

    Parameters
    ----------
    model, light, epochs
        Of one supernova.
    extra : Array, shape (extra,)
        Values of ``names[4:]``.
    names : tuple of str
        The parameters: t0, x0, x1, c, then any of z and host_ebv.

    Returns
    -------
    callable
        From parameters, the extra ones without effect, to fluxes, shape (obs,).
    """
    table = tables_at(model, light, extra, names)
    moved = eqx.tree_at(lambda e: e.z, epochs, extras_of(light, extra, names)[0])
    return lambda params: model_flux(params, surfaces=model.surfaces, table=table, epochs=moved)


def flux_near(
    model: SaltModel,
    light: Light,
    epochs: Epochs,
    center: Float[Array, " param"],
    names: tuple[str, ...],
) -> FluxOf:
    """Model flux with extra parameters, its value and two derivatives right at `center`.

    Parameters
    ----------
    model, light, epochs
        Of one supernova.
    center : Array, shape (param,)
        Where the flux is wanted.
    names : tuple of str
        The parameters: t0, x0, x1, c, then any of z and host_ebv.

    Returns
    -------
    callable
        From parameters to fluxes, shape (obs,).
    """
    middle = jax.lax.stop_gradient(center[4:])
    table_near = expand_near(lambda extra: tables_at(model, light, extra, names), middle)

    def flux(params: Array) -> Array:
        z, _ = extras_of(light, params[4:], names)
        moved = eqx.tree_at(lambda e: e.z, epochs, z)
        table = table_near(params[4:])
        return model_flux(params, surfaces=model.surfaces, table=table, epochs=moved)

    return flux


def expand_near(
    function: Callable[[Float[Array, " extra"]], Any],
    middle: Float[Array, " extra"],
    order: int = 2,
) -> Callable[[Float[Array, " extra"]], Any]:
    """Expand a function to first or second order.

    Parameters
    ----------
    function : callable
        From extra parameters to arrays, such as a `BandTable`.
    middle : Array, shape (extra,)
        About where.
    order : int
        1 or 2.

    Returns
    -------
    callable
        Of the same kind.
    """
    value, slope = function(middle), jax.jacfwd(function)(middle)
    if order == 1:
        return lambda at: jax.tree.map(lambda v, s: v + s @ (at - middle), value, slope)
    bend = jax.jacfwd(jax.jacfwd(function))(middle)

    def near(extra: Array) -> Any:
        off = extra - middle
        return jax.tree.map(lambda v, s, b: v + s @ off + 0.5 * (b @ off) @ off, value, slope, bend)

    return near
