"""Figures for papers, and the one page that shows a run."""

from chandelle.report.dispatch import plot
from chandelle.report.figures import (
    plot_corner,
    plot_diagram,
    plot_parameter,
    plot_pulls,
    plot_redshifts,
)
from chandelle.report.gallery_figure import gallery, worst_fits
from chandelle.report.lightcurve_figure import plot_lightcurve
from chandelle.report.page import write_gallery, write_report
from chandelle.report.residual_map import plot_residual_map
from chandelle.report.runs import load_run
from chandelle.report.scaling_figure import plot_scaling

__all__ = [
    "gallery",
    "load_run",
    "plot",
    "plot_corner",
    "plot_diagram",
    "plot_lightcurve",
    "plot_parameter",
    "plot_pulls",
    "plot_redshifts",
    "plot_residual_map",
    "plot_scaling",
    "worst_fits",
    "write_gallery",
    "write_report",
]
