"""Band tables, model covariance and chi2 of the two engines at given parameters, without a fit.

The compiled engine has its derivatives by hand and takes one supernova after the other; JAX has
them by automatic differentiation, in padded lanes. Both must agree to rounding.
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.core.compiled import compiled_entry
from chandelle.lightcurve.fitting import kernels
from chandelle.lightcurve.fitting.batch import make_batches
from chandelle.lightcurve.fitting.chi2 import Epochs, expand_chi2, model_flux, weights_of
from chandelle.lightcurve.fitting.compiled.arrays import Point, Space, work_space
from chandelle.lightcurve.fitting.compiled.chi2 import empty_chi2, expand, set_weights
from chandelle.lightcurve.fitting.compiled.driver import (
    band_arrays,
    epoch_arrays,
    target_arrays,
)
from chandelle.lightcurve.fitting.compiled.tables import (
    fill_basis,
    make_errors,
    make_tables,
    set_color,
    supernova_of,
)
from chandelle.lightcurve.fitting.lanes import batch_epochs, batch_light
from chandelle.lightcurve.fitting.problem import SERIES_TOLERANCE, FitProblem
from chandelle.physics.compiled.arrays import model_arrays
from chandelle.physics.compiled.errors import relative_variance
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_bands import BandTable, series_terms
from chandelle.physics.salt_covariance import BandErrors
from chandelle.physics.salt_grid import Surface
from chandelle.products.lightcurves import LightCurves

ROUNDING = 1e-10
PRIOR_MEAN, PRIOR_SIGMA = np.array([59001.0, 0.0, 0.3, -0.05]), np.array([2.0, np.inf, 1.0, 0.2])
LONG = 40
"""Taylor terms after which nothing is left of the color law, for comparisons to rounding."""


class State(NamedTuple):
    """What an engine has for one supernova; bands in the order of their passband's index."""

    n_terms: np.ndarray
    nodes: np.ndarray
    middle: np.ndarray
    flux: np.ndarray
    variance: np.ndarray
    mean_nodes: np.ndarray
    dispersion: np.ndarray
    mean_wave: np.ndarray
    inverse: np.ndarray
    chi2: float
    chi2_empty: float
    gradient: np.ndarray
    hessian: np.ndarray
    gauss_newton: np.ndarray


@compiled_entry
def run_compiled(model, bands, epochs, targets, k, reach, tolerance, model_cov, at, out, space):
    """All that the compiled engine does for supernova k at a point, left in the last three."""
    one, params = supernova_of(epochs, targets, k, space), at.params
    make_tables(model, bands, one, reach, tolerance, space)
    make_errors(model, bands, one, space)
    for i in range(one.n):
        space.used[i] = True
    set_color(len(model.phase), one.n_band, params[3], space)
    fill_basis(model, one, params[0], space)
    for i in range(one.n):
        band, phase = space.local[i], (one.mjd[i] - params[0]) / (1.0 + one.z)
        out.flux[i] = params[1] * (space.basis[i, 0] + params[2] * space.basis[i, 1])
        relative = relative_variance(
            space.mean_nodes[band, 0], model, space.mean_wave[band], phase, params[2]
        )
        out.variance[i] = relative * out.flux[i] ** 2
    n_column = set_weights(model, one, params, model_cov, space)
    chi2 = expand(model, one, n_column, at, space)
    return one.n, one.n_band, n_column, chi2, empty_chi2(one, n_column, space)


class Out(NamedTuple):
    flux: np.ndarray
    variance: np.ndarray


def compiled_state(
    problem: FitProblem, k: int, params: Any, *, reach: float, tolerance: float
) -> State:
    """State of the compiled engine, its color series good to `tolerance` up to `reach`."""
    model, epochs = model_arrays(problem.model), epoch_arrays(problem)
    bands = band_arrays(problem.bands, dust="f99", r_v=3.1)
    n_epoch = int(np.diff(epochs.first).max())
    space: Space = work_space(
        n_wave=len(model.wave),
        n_phase=len(model.phase),
        n_sample=bands.wave.shape[1],
        n_epoch=n_epoch,
        n_band=len(problem.bands.passbands),
        n_factor=epochs.factor.shape[1],
    )
    out = Out(np.zeros(n_epoch), np.zeros(n_epoch))
    at = Point(np.array(params), np.zeros(4), np.zeros((4, 4)), np.zeros((4, 4)))
    targets = target_arrays(problem)._replace(
        prior_mean=np.tile(PRIOR_MEAN, (len(problem), 1)),
        prior_ivar=np.tile(PRIOR_SIGMA**-2, (len(problem), 1)),
        is_free=False,
    )
    n, n_band, n_column, chi2, empty = run_compiled(
        model,
        bands,
        epochs,
        targets,
        k,
        reach,
        tolerance,
        problem.settings.model_cov,
        at,
        out,
        space,
    )
    order = np.argsort(space.bands[:n_band])
    nodes = np.zeros((n_band, LONG, space.nodes.shape[2]))
    for row, band in enumerate(order):
        used = min(space.terms[band], LONG)
        nodes[row, :used] = space.nodes[band, :used]
    tied = space.tied[:n, :n_column]
    return State(
        n_terms=space.terms[:n_band][order],
        nodes=nodes.reshape(n_band, LONG, -1, 2),
        middle=space.middle[:n_band][order],
        flux=out.flux[:n],
        variance=out.variance[:n],
        mean_nodes=space.mean_nodes[:n_band, 0][order].reshape(n_band, -1, 2),
        dispersion=space.dispersion[:n_band][order],
        mean_wave=space.mean_wave[:n_band][order],
        inverse=np.diag(space.ivar[:n]) - tied @ tied.T,
        chi2=chi2,
        chi2_empty=empty,
        gradient=at.gradient,
        hessian=at.hessian,
        gauss_newton=at.gauss_newton,
    )


@eqx.filter_jit
def run_jax(
    model: SaltModel,
    table: BandTable,
    bands: BandErrors,
    epochs: Epochs,
    params: jax.Array,
    model_cov: bool,
) -> Any:
    """The same with the functions that the JAX kernels batch."""

    def flux(at: jax.Array) -> jax.Array:
        return model_flux(at, surfaces=model.surfaces, table=table, epochs=epochs)

    errors = kernels.model_errors(model, bands, epochs, params, flux(params))
    weights = weights_of(epochs, errors if model_cov else None)
    at = expand_chi2(params, flux=flux, epochs=epochs, weights=weights)
    inverse = weights(jnp.eye(len(epochs.mjd)))
    empty = epochs.flux @ weights(epochs.flux[:, None])[:, 0]
    return flux(params), errors.variance, inverse, at, empty


def jax_state(problem: FitProblem, k: int, params: np.ndarray, *, terms: int = LONG) -> State:
    """State of the JAX engine."""
    batch = next(make_batches(problem.epochs))
    assert batch.target[k] == k, "one batch, in the order of the targets"
    light = dataclasses.replace(batch_light(problem, batch), terms=terms)
    tables = kernels.make_tables(problem.model, light)
    bands = kernels.make_errors(
        problem.model,
        problem.bands.curve,
        problem.bands.lengths,
        jnp.asarray(batch.passband),
        jnp.asarray(problem.z[batch.target]),
    )
    epochs = batch_epochs(problem, batch)
    epochs = eqx.tree_at(
        lambda e: (e.prior_mean, e.prior_ivar),
        epochs,
        tuple(jnp.broadcast_to(v, (len(batch.target), 4)) for v in (PRIOR_MEAN, PRIOR_SIGMA**-2)),
    )
    table, errors, own = jax.tree.map(lambda leaf: leaf[k], (tables, bands, epochs))
    flux, variance, inverse, at, empty = run_jax(
        problem.model, table, errors, own, jnp.asarray(params), problem.settings.model_cov
    )
    n = int((batch.row[k] >= 0).sum())
    n_band = len(np.unique(batch.passband[k]))
    nodes = np.zeros((n_band, LONG, *table.nodes.shape[2:]))
    nodes[:, :terms] = table.nodes[:n_band]
    return State(
        n_terms=np.full(n_band, terms),
        nodes=nodes,
        middle=np.asarray(table.color_middle[:n_band]),
        flux=np.asarray(flux[:n]),
        variance=np.asarray(variance[:n]),
        mean_nodes=np.asarray(errors.table.nodes[:n_band, 0]),
        dispersion=np.asarray(errors.color_dispersion[:n_band]),
        mean_wave=np.asarray(errors.wave[:n_band]),
        inverse=np.asarray(inverse[:n, :n]),
        chi2=float(at.value),
        chi2_empty=float(empty),
        gradient=np.asarray(at.gradient),
        hessian=np.asarray(at.hessian),
        gauss_newton=np.asarray(at.gauss_newton),
    )


N = 8


@pytest.fixture(scope="module", params=["plain", "factor"])
def curves(request, at_the_ends, share_errors) -> LightCurves:
    lcs, _ = at_the_ends
    return share_errors(lcs) if request.param == "factor" else lcs


@pytest.fixture(scope="module")
def salt2_like(salt3: SaltModel) -> SaltModel:
    """The model with an error scale, which only SALT2 has."""
    grid = salt3.errors.variance_0
    bump = 1.0 + 0.5 * jnp.sin(0.1 * grid.phase)[:, None] * jnp.cos(0.002 * grid.wave)[None, :]
    scale = Surface(phase=grid.phase, wave=grid.wave, values=bump)
    return eqx.tree_at(
        lambda m: m.errors.error_scale, salt3, scale, is_leaf=lambda leaf: leaf is None
    )


def near(truth: np.ndarray, k: int) -> np.ndarray:
    """Parameters off the truth, where chi2 has slopes."""
    return truth[k] * [1.0, 1.07, 1.0, 1.0] + [0.8, 0.0, 0.3, 0.01]


def assert_close(ours: Any, theirs: Any, scale: Any, what: str) -> None:
    """Equal to `ROUNDING` of a scale."""
    off = np.abs(np.asarray(ours) - np.asarray(theirs)) / scale
    assert np.max(off) < ROUNDING, f"{what}: {np.max(off):.1e}"


@pytest.mark.parametrize("k", range(N))
def test_band_tables_are_equal(at_the_ends, salt3, pose, k: int) -> None:
    lcs, truth = at_the_ends
    problem, at = pose(lcs, salt3), near(truth, k)
    one = compiled_state(problem, k, at, reach=1.0, tolerance=1e-30)
    two = jax_state(problem, k, at)
    assert one.nodes.shape == two.nodes.shape
    assert (one.n_terms > 15).all()
    size = np.abs(two.nodes).max(axis=(1, 2), keepdims=True)
    assert_close(one.nodes, two.nodes, size, "nodes")
    # Each Taylor term by itself, where it is more than rounding of the first.
    for term in range(6):
        assert_close(
            one.nodes[:, term], two.nodes[:, term], np.abs(two.nodes[:, term]).max(), f"{term}"
        )
    assert_close(one.middle, two.middle, 1.0, "middle of the color law")
    assert_close(one.mean_nodes, two.mean_nodes, np.abs(two.mean_nodes).max(), "mean templates")
    assert_close(one.mean_wave, two.mean_wave, two.mean_wave, "mean wavelength")
    assert_close(one.dispersion, two.dispersion, two.dispersion, "color dispersion")


def test_the_sample_reaches_the_ends_of_the_model(at_the_ends, salt3, pose) -> None:
    """Else the comparison would not see straight-line interpolation nor epochs without flux."""
    lcs, truth = at_the_ends
    problem = pose(lcs, salt3)
    n_phase = len(salt3.surfaces.phase)
    has_edge = [
        bool(np.any(jax_state(problem, k, truth[k]).nodes[:, 0, n_phase + 4 :] != 0.0))
        for k in range(N)
    ]
    assert has_edge == [True] + [False] * 5 + [True, True]
    phase = (lcs["mjd"] - truth[:, 0][problem.epochs.target]) / (1 + problem.z)[
        problem.epochs.target
    ]
    for low, high in ((-22, -20), (-20, -19), (49, 50), (50, 52)):
        assert ((phase > low) & (phase < high)).any()


@pytest.mark.parametrize("model_cov", [False, True])
@pytest.mark.parametrize("k", range(N))
def test_chi2_and_its_derivatives_are_equal(
    curves, at_the_ends, salt3, pose, k: int, model_cov: bool
) -> None:
    problem, at = pose(curves, salt3, model_cov=model_cov), near(at_the_ends[1], k)
    one = compiled_state(problem, k, at, reach=1.0, tolerance=1e-30)
    two = jax_state(problem, k, at)
    compare(one, two)


def compare(one: State, two: State) -> None:
    assert_close(one.flux, two.flux, np.abs(two.flux).max(), "flux")
    assert_close(one.variance, two.variance, two.variance.max(), "model variance")
    assert_close(one.inverse, two.inverse, np.abs(two.inverse).max(), "inverse covariance")
    assert_close(one.chi2, two.chi2, two.chi2, "chi2")
    assert_close(one.chi2_empty, two.chi2_empty, two.chi2_empty, "chi2 without a supernova")
    # A slope is at most sqrt(H_pp chi2): what follows from the residuals alone.
    size = np.sqrt(np.diagonal(two.gauss_newton))
    assert_close(one.gradient, two.gradient, size * np.sqrt(two.chi2), "gradient")
    for part in ("gauss_newton", "hessian"):
        mine, peer = getattr(one, part), getattr(two, part)
        assert_close(mine, peer, size[:, None] * size[None, :], part)
        assert_close(mine, mine.T, size[:, None] * size[None, :], f"symmetry of {part}")


@pytest.mark.parametrize("k", [0, 4])
def test_the_model_variance_of_salt2_is_equal(at_the_ends, salt2_like, salt3, pose, k) -> None:
    lcs, truth = at_the_ends
    problem, at = pose(lcs, salt2_like, model_cov=True), near(truth, k)
    compare(compiled_state(problem, k, at, reach=1.0, tolerance=1e-30), jax_state(problem, k, at))
    plain = jax_state(pose(lcs, salt3, model_cov=True), k, at)
    assert abs(plain.chi2 / jax_state(problem, k, at).chi2 - 1) > 0.01


@pytest.mark.parametrize("reach", [0.1, 0.4, 1.0])
@pytest.mark.parametrize("k", range(N))
def test_the_number_of_terms_suffices(at_the_ends, salt3, pose, k: int, reach: float) -> None:
    lcs, truth = at_the_ends
    problem = pose(lcs, salt3)
    batch = next(make_batches(problem.epochs))
    own = np.unique(batch.passband[k])
    for c in (-reach, reach):
        at = [*truth[k, :3], c]
        short = compiled_state(problem, k, at, reach=reach, tolerance=SERIES_TOLERANCE)
        whole = compiled_state(problem, k, at, reach=reach, tolerance=1e-30)
        # The bound is for a positive surface: compare with the peak of M0 in each band.
        off, band = np.abs(short.flux - whole.flux), batch.band[k][: len(short.flux)]
        for local in range(len(own)):
            assert off[band == local].max() < 1e-10 * np.abs(whole.flux[band == local]).max()
    z = problem.z[k]
    counts = [
        series_terms(
            salt3.surfaces,
            [problem.bands.passbands[band]],
            z_min=z,
            z_max=z,
            c_max=reach,
            tolerance=SERIES_TOLERANCE,
        )
        for band in own
    ]
    # JAX takes a color range 2 % wider and an exact tail: the counts differ by one at most.
    assert np.abs(short.n_terms - counts).max() <= 1
    if reach == 0.4:
        assert (short.n_terms <= problem.terms).all()
