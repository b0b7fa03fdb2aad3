"""First guesses of the two engines: the same local minima in t0, in the same order."""

import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.core.compiled import compiled_entry
from chandelle.lightcurve.fitting import kernels
from chandelle.lightcurve.fitting.batch import make_batches
from chandelle.lightcurve.fitting.compiled.arrays import work_space
from chandelle.lightcurve.fitting.compiled.driver import (
    band_arrays,
    epoch_arrays,
    fit_choices,
    model_arrays,
    target_arrays,
)
from chandelle.lightcurve.fitting.compiled.starts import find_starts, signal_center, start_cost
from chandelle.lightcurve.fitting.compiled.tables import find_bands, make_tables
from chandelle.lightcurve.fitting.guess import signal_center as jax_center
from chandelle.lightcurve.fitting.lanes import batch_epochs, batch_light


@compiled_entry
def starts_of(model, bands, epochs, targets, choices, k, space):
    """Starts of supernova k, left in ``space.starts``: how many, center of the grid, first cost."""
    first, z = epochs.first[k], targets.z[k]
    n = epochs.first[k + 1] - first
    n_band = find_bands(epochs, first, n, space)
    make_tables(model, bands, n_band, z, targets.mwebv[k], 0.4, 1e-10, space)
    low, high = targets.low[k, 0], targets.high[k, 0]
    count = find_starts(model, epochs, first, n, z, low, high, choices, space)
    cost = start_cost(model, epochs, first, n, n_band, z, space.starts[0], space)
    return count, signal_center(epochs, first, n, z), cost


def whole_ivar(ivar, factor):
    """Inverse of the diagonal and shared variance together."""
    total = 1.0 / jnp.where(ivar > 0, ivar, 1.0) + jnp.sum(factor**2, axis=-1)
    return jnp.where(ivar > 0, 1.0 / total, 0.0)


@pytest.mark.parametrize("kind", ["plain", "factor"])
def test_starts_are_equal(at_the_ends, share_errors, salt3, pose, kind: str) -> None:
    lcs, _ = at_the_ends
    problem = pose(share_errors(lcs) if kind == "factor" else lcs, salt3)
    model, epochs = model_arrays(problem.model), epoch_arrays(problem)
    bands = band_arrays(problem.bands, dust="f99", r_v=3.1)
    space = work_space(
        n_wave=len(model.wave),
        n_phase=len(model.phase),
        n_sample=bands.wave.shape[1],
        n_epoch=int(np.diff(epochs.first).max()),
        n_band=len(problem.bands.passbands),
        n_factor=epochs.factor.shape[1],
    )
    batch = next(make_batches(problem.epochs))
    own = batch_epochs(problem, batch)
    tables = kernels.make_tables(problem.model, batch_light(problem, batch))
    choices = fit_choices(problem)
    window = (jnp.asarray(choices.phase_low), jnp.asarray(choices.phase_high))
    found, is_start = (
        np.asarray(a) for a in kernels.scan_starts(problem.model, tables, own, window)
    )
    costs = kernels.start_costs(problem.model, tables, own, jnp.asarray(found[:, 0]))
    counts = []
    for k in range(len(problem)):
        count, center, cost = starts_of(
            model, bands, epochs, target_arrays(problem), choices, k, space
        )
        counts.append(count)
        ivar = whole_ivar(own.ivar[k], own.factor[k])
        assert center == jax_center(own.mjd[k], own.flux[k], ivar, z=own.z[k])
        assert count == is_start[k].sum()
        assert cost == pytest.approx(float(costs[k]), rel=1e-9)
        np.testing.assert_allclose(space.starts[:count], found[k][:count], rtol=1e-9, atol=1e-12)
    assert max(counts) > 1, "a sample with one start each would not see their order"
