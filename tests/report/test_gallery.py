"""Light curves with their fits, the gallery of the worst, the map of residuals."""

import dataclasses
import inspect

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.lightcurve.cuts import apply_cuts, between
from chandelle.numerics.covariance import BlockLowRank
from chandelle.products.diagram import Diagram
from chandelle.report import (
    gallery,
    plot_lightcurve,
    plot_residual_map,
    worst_fits,
    write_gallery,
)
from chandelle.report.curve_errors import parameter_errors
from chandelle.report.curves import CURVE_GRID, pack
from chandelle.report.cutflow import cut_flow
from chandelle.report.lightcurve_sheet import Sheet, facts_of

mpl.use("agg")


def with_covariance(fits):
    """Uncorrelated t0, x0, x1, c."""
    columns = {name: fits[name] for name in fits.table.column_names}
    pairs = ("t0_x0", "t0_x1", "t0_c", "x0_x1", "x0_c", "x1_c")
    columns |= {f"cov_{pair}": np.zeros(len(fits)) for pair in pairs}
    columns["c_err"] = np.full(len(fits), 0.03)
    return type(fits).from_columns(columns, meta=fits.meta)


def test_error_of_a_curve_is_that_of_its_parameters(run, drawing):
    one = with_covariance(run.fits.select(np.array([1])))
    packed = pack(run.lightcurves.select_targets(np.array([1])), one, model_curve=drawing.bell)
    err = parameter_errors(packed, one, drawing.bell)
    start, stop = packed.window[0]
    time = start + (stop - start) * CURVE_GRID
    phase = time / (1 + one["z"][0])
    width = np.where(phase < 0, 6.0, 14.0 + 2.0 * one["x1"][0])
    flux = packed.curve.astype(float)
    by_t0 = phase / width**2 / (1 + one["z"][0]) * one["t0_err"][0]
    by_x0 = one["x0_err"][0] / one["x0"][0]
    by_x1 = np.where(phase < 0, 0.0, 2.0 * phase**2 / width**3) * one["x1_err"][0]
    expected = flux * np.sqrt(by_t0**2 + by_x0**2 + by_x1**2)
    # Flux is kept in single precision; x1 is known to 0.2, so a step of it is not small.
    assert np.allclose(err[:, 1:-1], expected[:, 1:-1], rtol=2e-3, atol=1e-6 * flux.max())


def test_full_symbols_are_in_the_fit_and_open_ones_are_not(run, drawing):
    upper, lower = plot_lightcurve(
        run.lightcurves,
        sn=run.fits["sn"][1],
        fits=with_covariance(run.fits),
        model_curve=drawing.bell,
        ax=Figure().add_subplot(),
    )
    sheet = Sheet.of(
        run.lightcurves.select_targets(np.array([1])),
        with_covariance(run.fits),
        model_curve=drawing.bell,
    )
    counts = {True: 0, False: 0}
    for box in upper.containers:
        line = box.lines[0]
        counts[line.get_markerfacecolor() != "white"] += len(line.get_xdata())
    assert counts == {True: sheet.in_fit.sum(), False: (~sheet.in_fit).sum()}
    assert 0 < counts[False] < counts[True]
    assert len(upper.collections) > len(upper.containers)  # bands about the curves
    upper.figure.canvas.draw()
    assert lower.get_xlim() == upper.get_xlim()


def test_limits_are_arrows_in_magnitudes_and_without_detection(run, drawing):
    sn = run.fits["sn"][1]
    options = {"sn": sn, "fits": run.fits, "model_curve": drawing.bell}
    upper, _ = plot_lightcurve(run.lightcurves, **options, scale="mag", ax=Figure().add_subplot())
    sheet = Sheet.of(
        run.lightcurves.select_targets(np.array([1])), run.fits, model_curve=drawing.bell
    )
    faint = sheet.packed.flux < 3 * sheet.packed.flux_err
    assert len(upper.texts) == faint.sum() > 0
    assert upper.get_ylim()[0] > upper.get_ylim()[1]
    assert upper.get_legend().get_texts()[-1].get_text() == "3 σ upper limit"
    upper.figure.canvas.draw()
    upper, _ = plot_lightcurve(run.lightcurves, **options, ax=Figure().add_subplot())
    assert len(upper.texts) == 0
    flags = np.where(run.fits["sn"] == sn, int(Flag.UPPER_LIMIT), 0)
    dark = type(run.fits).from_columns(
        {n: run.fits[n] for n in run.fits.table.column_names} | {"flags": flags}
    )
    options["fits"] = dark
    upper, _ = plot_lightcurve(run.lightcurves, **options, ax=Figure().add_subplot())
    assert len(upper.texts) == len(sheet.packed.flux)
    with pytest.raises(InputError, match="scale must be"):
        # The tests check types at the call, and a notebook does not.
        inspect.unwrap(plot_lightcurve)(run.lightcurves, sn=sn, scale="jansky")


def test_failed_fits_say_why(run, drawing):
    failed = int(np.flatnonzero(run.fits["status"] == "too few epochs")[0])
    sheet = Sheet.of(
        run.lightcurves.select_targets(np.array([failed])), run.fits, model_curve=drawing.bell
    )
    head, parameters, flags = facts_of(sheet, 0)
    assert head.endswith("too few epochs")
    assert parameters == "no parameters"
    assert flags in ("no flags", "improbable chi2")
    upper, _ = plot_lightcurve(
        run.lightcurves,
        sn=run.fits["sn"][failed],
        fits=run.fits,
        model_curve=drawing.bell,
        ax=Figure().add_subplot(),
    )
    upper.figure.canvas.draw()


def test_worst_are_ordered_by_what_is_asked(run):
    ratio = run.fits["chi2"] / run.fits["ndof"]
    rows = worst_fits(run.fits, run.lightcurves, n=5)
    usable = np.flatnonzero(run.fits.is_ok & np.isin(run.fits["sn"], run.lightcurves["sn"]))
    assert rows.tolist() == usable[np.argsort(-ratio[usable])][:5].tolist()
    by_x1 = worst_fits(run.fits, run.lightcurves, n=3, by=lambda q: np.abs(q["x1"]))
    assert np.abs(run.fits["x1"][by_x1]).tolist() == sorted(
        np.abs(run.fits["x1"][by_x1]), reverse=True
    )
    flagged = worst_fits(run.fits, run.lightcurves, n=60, by=lambda q: q["status"] != "ok")
    assert set(run.fits["status"][flagged]) == {"too few epochs"}  # the others have no epochs
    with pytest.raises(InputError, match="expected 60 numbers"):
        worst_fits(run.fits, run.lightcurves, by=lambda q: q["x1"][:3])


def test_gallery_and_its_page(run, drawing, tmp_path):
    figure = gallery(run.fits, run.lightcurves, n=4, model_curve=drawing.bell)
    axes = [ax for part in figure.subfigs for ax in part.axes]
    assert len(axes) == 8
    heads = [ax.get_title(loc="left") for ax in axes[::2]]
    rows = worst_fits(run.fits, run.lightcurves, n=4)
    assert [head.split(", z = ")[0] for head in heads] == run.fits["sn"][rows].tolist()
    figure.savefig(tmp_path / "gallery.png", dpi=40)
    path = write_gallery(
        tmp_path / "worst.html", run.fits, run.lightcurves, n=3, model_curve=drawing.bell
    )
    page = path.read_text()
    assert page.count("data:image/png;base64,") == 1
    for sn in run.fits["sn"][rows[:3]]:
        assert f"<td>{sn}</td>" in page
    nothing = run.fits.select(~run.fits.is_ok)
    with pytest.raises(InputError, match="no fit to draw"):
        gallery(nothing, run.lightcurves)


def test_map_shows_the_cells_that_have_supernovae_enough():
    phase, wave = (a.ravel() for a in np.meshgrid([0.0, 5.0], [4000.0, 5000.0], indexing="ij"))
    bins = pd.DataFrame(
        {
            "phase_low": phase,
            "phase_high": phase + 5,
            "wave_low": wave,
            "wave_high": wave + 1000,
            "n_sn": [9, 9, 9, 2],
            "n": [20, 20, 20, 3],
            "residual_mag": [0.0, 0.05, -0.01, 0.5],
            "residual_mag_err_sn": [0.01, 0.01, 0.01, 0.01],
        }
    )
    ax = plot_residual_map(bins, ax=Figure().add_subplot())
    words = {text.get_text(): text.get_fontweight() for text in ax.texts}
    assert words == {"0.000": "normal", "0.050": "bold", "-0.010": "normal"}
    with pytest.raises(InputError, match="no bin holds 10"):
        plot_residual_map(bins, at_least=10)


def test_cuts_stand_in_the_cut_flow(run):
    kept, flow = apply_cuts(run.fits, between("x1", -1.5, 1.5))
    steps = cut_flow(run.lightcurves, kept, None)
    assert steps[0].left == 60
    assert steps[-1].left == len(kept)
    assert 60 - sum(step.lost for step in steps) == len(kept)
    lost = {(step.step, step.reason): step.lost for step in steps}
    assert lost["cuts", "-1.5 <= x1 <= 1.5"] == flow.removed[1]
    assert lost["SALT fit", "too few epochs"] == 4


def test_cuts_of_the_diagram_stand_in_the_flow_of_uncut_fits(run):
    kept, flow = apply_cuts(run.fits, between("x1", -1.5, 1.5))
    own = np.isin(run.diagram["sn"], kept["sn"])
    meta = dataclasses.replace(
        kept.meta,
        provenance={**kept.meta.provenance, "standardization": {"n_in": len(kept)}},
    )
    columns = {name: run.diagram[name][own] for name in ("sn", "z_hel", "z_hd", "mu")}
    covariance = BlockLowRank(diagonal=np.full(own.sum(), 0.15**2))
    diagram = Diagram.from_columns(columns, meta=meta, covariance=covariance)
    steps = cut_flow(run.lightcurves, run.fits, diagram)
    lost = {(step.step, step.reason): step.lost for step in steps}
    assert lost["cuts", "-1.5 <= x1 <= 1.5"] == flow.removed[1]
    assert 60 - sum(step.lost for step in steps) == len(diagram)


def test_light_curves_without_a_fit_are_counted(run):
    some = run.fits.select(np.arange(50))
    steps = cut_flow(run.lightcurves, some, None)
    assert 60 - sum(step.lost for step in steps) == some.is_ok.sum()
    assert "not among the fits" in [step.reason for step in steps]
