"""Figures for papers: what is drawn, on which axes, and that nothing global changes."""

import inspect

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from chandelle.core.errors import InputError, NotConvergedError
from chandelle.numerics.covariance import BlockLowRank
from chandelle.products.diagram import Diagram
from chandelle.report import (
    plot,
    plot_corner,
    plot_diagram,
    plot_lightcurve,
    plot_parameter,
    plot_pulls,
    plot_redshifts,
)
from chandelle.report.residuals import bin_residuals, curve_of
from chandelle.report.style import band_marks, survey_marks


@pytest.fixture
def ax():
    return Figure().add_subplot()


@pytest.fixture(autouse=True)
def same_settings():
    before = dict(mpl.rcParams)
    yield
    changed = {key for key, value in mpl.rcParams.items() if before[key] != value}
    assert not changed - {"backend", "backend_fallback"}  # pyplot chooses one when first used


def test_curve_follows_the_posterior(run):
    curve = curve_of(run.diagram, run.posterior)
    assert "Om = 0.302" in curve.label
    residual = run.diagram["mu"] - curve.at_sn
    assert abs(np.average(residual, weights=run.diagram["mu_err"] ** -2)) < 1e-10
    on_curve = np.interp(np.log(run.diagram["z_hd"]), np.log(curve.z), curve.mu)
    assert np.allclose(on_curve, curve.at_sn, atol=1e-3)


def test_offset_is_fitted_with_the_full_covariance(run):
    n = len(run.diagram)
    factor = np.random.default_rng(3).normal(0, 0.1, (n, 2))
    cov = BlockLowRank(diagonal=np.full(n, 0.02), factor=factor)
    columns = {name: run.diagram[name] for name in ("sn", "z_hel", "z_hd", "mu")}
    diagram = Diagram.from_columns(columns, meta=run.diagram.meta, covariance=cov)
    residual = diagram["mu"] - curve_of(diagram, run.posterior).at_sn
    gradient = np.linalg.solve(cov.to_dense(), residual).sum()
    assert abs(gradient) < 1e-8


def test_blind_data_get_no_cosmology(run):
    columns = {name: run.diagram[name] for name in ("sn", "z_hel", "z_hd")}
    columns["mu"] = run.diagram["mu"] + 0.3 * np.log(run.diagram["z_hd"])
    real = Diagram.from_columns(columns, covariance=run.diagram.covariance)
    curve = curve_of(real)
    assert "no cosmology" in curve.label
    slope = np.polyfit(np.log(real["z_hd"]), real["mu"] - curve.at_sn, 1)[0]
    assert abs(slope) < 1e-8
    assert "Om = 0.302" in curve_of(real, run.posterior).label


def test_bins_are_weighted_means():
    z = np.array([0.01] * 5 + [0.5] * 6)
    residual = np.array([0.1, 0.2, 0.3, 0.4, 0.5] + [1.0] * 6)
    err = np.array([1.0, 1.0, 1.0, 1.0, 0.5] + [0.6] * 6)
    bins = bin_residuals(z, residual, err, n_bins=4)
    weight = err[:5] ** -2
    assert np.allclose(bins.z, [0.01, 0.5])
    assert np.allclose(bins.mean, [(weight @ residual[:5]) / weight.sum(), 1.0])
    assert np.allclose(bins.err, [weight.sum() ** -0.5, 0.6 / np.sqrt(6)])


def test_diagram_has_two_panels_of_one_redshift_axis(run, ax):
    upper, lower = plot_diagram(run.diagram, posterior=run.posterior, ax=ax)
    assert upper is ax
    assert upper.get_ylabel() == "distance modulus (mag)"
    assert lower.get_ylabel() == "residual (mag)"
    assert lower.get_xscale() == "log"
    assert upper.get_xlim() == lower.get_xlim()
    ax.figure.canvas.draw()


def test_without_axes_a_figure_is_made(run):
    from matplotlib import pyplot

    upper, lower = plot_diagram(run.diagram)
    assert upper.figure is lower.figure
    pyplot.close(upper.figure)


def test_parameter_counts_every_answer(run, ax):
    plot_parameter(run.fits, "c", ax=ax)
    assert ax.get_xlabel() == "color c (mag)"
    height = max(p.get_y() + p.get_height() for p in ax.patches)
    total = sum(p.get_height() for p in ax.patches)
    assert 0 < height < total == run.fits.is_ok.sum()


def test_redshifts_show_what_was_cut(run, ax):
    kept = np.isin(run.fits["sn"], run.diagram["sn"])
    plot_redshifts(run.fits, kept=kept, ax=ax)
    full = sum(p.get_height() for p in ax.patches if p.get_alpha() == 1.0)
    pale = sum(p.get_height() for p in ax.patches if p.get_alpha() != 1.0)
    assert (full, pale) == (kept.sum(), (~kept).sum())


def test_pulls_count_every_supernova(run, ax):
    plot_pulls(run.diagram, posterior=run.posterior, ax=ax)
    assert sum(p.get_height() for p in ax.patches) == len(run.diagram)


def test_lightcurve_draws_points_and_curves(run, drawing, ax):
    sn = run.fits["sn"][1]
    upper, lower = plot_lightcurve(
        run.lightcurves, sn=sn, fits=run.fits, model_curve=drawing.bell, ax=ax
    )
    assert upper.get_ylabel() == "flux (µJy, AB)"
    assert lower.get_ylabel() == "pull (σ)"
    assert lower.get_xlabel() == "MJD (d)"
    assert upper.get_title(loc="left").startswith(f"{sn}, z = ")
    legend = [entry.get_text() for entry in upper.get_legend().get_texts()]
    assert legend == ["ztfg", "ztfr", "ztfi", "not in the fit"]
    with pytest.raises(InputError, match="no light curve of 'sn9999'"):
        plot_lightcurve(run.lightcurves, sn="sn9999")


def test_corner_refuses_chains_that_did_not_converge(run, drawing):
    panels = plot_corner(run.posterior, truth={"Om": 0.3}, figure=Figure())
    assert panels.shape == (3, 3)
    assert panels[2, 0].get_xlabel() == "Om"
    bad = drawing.posterior(10, rng=np.random.default_rng(1), status="not converged")
    with pytest.raises(NotConvergedError, match="r-hat of Om"):
        plot_corner(bad)


def test_plot_dispatches(run, drawing, ax):
    assert plot(run.fits, ax, name="x1") is ax
    assert plot(run.lightcurves.targets, Figure().add_subplot()).get_xlabel() == "redshift"
    upper, _ = plot(run.diagram, Figure().add_subplot())
    assert upper.get_ylabel() == "distance modulus (mag)"
    assert plot(run.posterior, figure=Figure(), names=["Om", "w"]).shape == (2, 2)
    sn = run.fits["sn"][1]
    for pair in ((run.fits, run.lightcurves), (run.lightcurves, run.fits)):
        upper, _ = plot(*pair, Figure().add_subplot(), sn=sn, model_curve=drawing.bell)
        assert "χ²/ndof" in upper.get_title(loc="left")
    with pytest.raises(InputError, match="plot of Diagram takes no SaltFits"):
        plot(run.diagram, run.fits)
    with pytest.raises(InputError, match="give sn="):
        plot(run.lightcurves)
    with pytest.raises(InputError, match="figure="):
        plot(run.posterior, ax)
    with pytest.raises(InputError, match="got int"):
        # The tests check types at the call, and a notebook does not.
        inspect.unwrap(plot)(3)


def test_marks_tell_surveys_and_bands_apart():
    marks = survey_marks(["A", "B", "B", "C"])
    assert list(marks) == ["B", "A", "C"]
    assert len({(mark.color, mark.bokeh) for mark in marks.values()}) == 3
    bands = band_marks({"r1": 6200.0, "g": 4800.0, "r2": 6300.0, "unknown": np.nan})
    assert bands["r1"].color == bands["r2"].color != bands["g"].color
    assert bands["r1"].bokeh != bands["r2"].bokeh
    places = band_marks({"g@1": 4800.0, "g@9": 4700.0, "r": 6200.0})
    assert places["g@1"] == places["g@9"] != places["r"]
