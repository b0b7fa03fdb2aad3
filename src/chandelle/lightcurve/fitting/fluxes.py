"""Model fluxes of many supernovae at given parameters."""

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from chandelle.lightcurve.fitting.batch import make_batches
from chandelle.lightcurve.fitting.compiled.driver import compiled_fluxes
from chandelle.lightcurve.fitting.kernels import batch_fluxes, make_tables
from chandelle.lightcurve.fitting.lanes import batch_epochs, batch_light
from chandelle.lightcurve.fitting.problem import FitProblem


def fluxes_at(
    problem: FitProblem,
    params: NDArray[np.float64],
    *,
    host_ebv: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Model flux of every epoch.

    Parameters
    ----------
    problem : FitProblem
        Epochs, redshifts and dust.
    params : NDArray, shape (sn, 4)
        t0, x0, x1, c.
    host_ebv : NDArray, shape (sn,), optional
        E(B-V) of dust in the hosts.

    Returns
    -------
    NDArray, shape (obs,), nJy
        In the order of ``problem.epochs``; zero outside the model's phases.
    """
    if host_ebv is None:
        return compiled_fluxes(problem, params)
    flux = np.zeros(len(problem.epochs.mjd))
    for batch in make_batches(problem.epochs):
        light = batch_light(problem, batch, wide=True)
        tables = make_tables(problem.model, light, jnp.asarray(host_ebv[batch.target]))
        epochs = batch_epochs(problem, batch)
        found = batch_fluxes(problem.model, tables, epochs, jnp.asarray(params[batch.target]))
        is_epoch = batch.row[: batch.n_real] >= 0
        real = np.asarray(found)[: batch.n_real]
        flux[batch.row[: batch.n_real][is_epoch]] = real[is_epoch]
    return flux
