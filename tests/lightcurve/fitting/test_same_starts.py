"""First guesses: the same in both engines, and near the deepest minimum in t0."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from chandelle.core.compiled import compiled_entry
from chandelle.core.units import ZP_NJY
from chandelle.lightcurve.fitting import kernels
from chandelle.lightcurve.fitting.batch import make_batches
from chandelle.lightcurve.fitting.compiled.arrays import work_space
from chandelle.lightcurve.fitting.compiled.driver import (
    band_arrays,
    epoch_arrays,
    fit_choices,
    target_arrays,
)
from chandelle.lightcurve.fitting.compiled.starts import find_starts, signal_center, start_cost
from chandelle.lightcurve.fitting.compiled.tables import make_tables, supernova_of
from chandelle.lightcurve.fitting.guess import signal_center as jax_center
from chandelle.lightcurve.fitting.lanes import batch_epochs, batch_light
from chandelle.lightcurve.ingest import read_lightcurves
from chandelle.lightcurve.stage import fit_salt
from chandelle.physics.compiled.arrays import model_arrays


@compiled_entry
def starts_of(model, bands, epochs, targets, choices, k, space):
    """Starts of supernova k, left in ``space.starts``: how many, center of the grid, first cost."""
    one = supernova_of(epochs, targets, k, space)
    make_tables(model, bands, one, 0.4, 1e-10, space)
    count = find_starts(model, one, choices, space)
    return count, signal_center(one), start_cost(model, one, space.starts[0], space)


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


def draw_red(salt3, n: int, *, bands, z, first_phase: float, size: int, error: float, seed: int):
    """Red supernovae with precise epochs, whose colors are far from zero."""
    rng = np.random.default_rng(seed)
    epochs, targets = [], []
    for k in range(n):
        theta = {"z": rng.uniform(*z), "t0": 59000.0, "x0": 1e-4}
        theta |= {"x1": rng.normal(), "c": rng.uniform(0.2, 0.7)}
        mjd = theta["t0"] + (1 + theta["z"]) * np.sort(rng.uniform(first_phase, 40.0, size))
        band = np.resize(bands, size)
        flux = np.asarray(salt3.bandflux(band.tolist(), mjd, zp=ZP_NJY, **theta))
        peak = pd.Series(np.abs(flux)).groupby(band).transform("max").to_numpy()
        sigma = np.hypot(error * peak, 0.01 * flux)
        values = {"mjd": mjd, "band": band, "flux": flux + sigma * rng.normal(size=size)}
        epochs.append(pd.DataFrame({**values, "sn": f"sn{k}", "flux_err": sigma, "zp": ZP_NJY}))
        targets.append({"sn": f"sn{k}", "z": theta["z"], "mwebv": 0.0})
    return read_lightcurves(pd.concat(epochs), targets=pd.DataFrame(targets))


RED = {
    "seen late by ZTF": ({"bands": ("ztfg", "ztfr"), "z": (0.02, 0.08), "error": 0.03}, 3.0, 20),
    "distant": (
        {"bands": ("lsstg", "lsstr", "lssti", "lsstz"), "z": (0.3, 0.7), "error": 0.01},
        -14.0,
        48,
    ),
}


@pytest.mark.parametrize("kind", RED)
def test_red_supernovae_are_not_taken_for_others(salt3, kind: str) -> None:
    """Where a scan at color zero alone put 7 and 4 of these 200 into a wrong minimum."""
    how, first_phase, size = RED[kind]
    lcs = draw_red(salt3, 200, **how, first_phase=first_phase, size=size, seed=4)
    found = fit_salt(lcs, phase_range=None).to_pandas()
    near = fit_salt(lcs, phase_range=None, bounds={"t0": (58985.0, 59015.0)}).to_pandas()
    assert (near.status == "ok").all()
    assert (found.status == "ok").all()
    assert (found.chi2 < near.chi2 + 1e-3).all()
