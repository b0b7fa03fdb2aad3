"""Figures for papers, and the one page that shows a run.

Every name below is loaded when it is first used: planning a report needs no library of plots.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chandelle.report.dispatch import plot
    from chandelle.report.figures import (
        plot_corner,
        plot_diagram,
        plot_parameter,
        plot_pulls,
        plot_redshifts,
    )
    from chandelle.report.frame_figures import (
        plot_psf_field,
        plot_raw_ccd,
        plot_raw_quadrant,
        plot_transmission,
    )
    from chandelle.report.gallery_figure import gallery, worst_fits
    from chandelle.report.lightcurve_figure import plot_lightcurve
    from chandelle.report.page import write_gallery, write_report
    from chandelle.report.residual_map import plot_residual_map
    from chandelle.report.runs import load_run
    from chandelle.report.sample_figures import (
        compare_samples,
        plot_counts,
        plot_distributions,
        plot_efficiency,
    )
    from chandelle.report.scaling_figure import plot_scaling
    from chandelle.report.survey_figures import plot_cadence, plot_pointings

_HOMES = {
    "compare_samples": "sample_figures",
    "gallery": "gallery_figure",
    "load_run": "runs",
    "plot": "dispatch",
    "plot_cadence": "survey_figures",
    "plot_corner": "figures",
    "plot_counts": "sample_figures",
    "plot_diagram": "figures",
    "plot_distributions": "sample_figures",
    "plot_efficiency": "sample_figures",
    "plot_lightcurve": "lightcurve_figure",
    "plot_parameter": "figures",
    "plot_pointings": "survey_figures",
    "plot_psf_field": "frame_figures",
    "plot_pulls": "figures",
    "plot_raw_ccd": "frame_figures",
    "plot_raw_quadrant": "frame_figures",
    "plot_redshifts": "figures",
    "plot_residual_map": "residual_map",
    "plot_scaling": "scaling_figure",
    "plot_transmission": "frame_figures",
    "worst_fits": "gallery_figure",
    "write_gallery": "page",
    "write_report": "page",
}

__all__ = [
    "compare_samples",
    "gallery",
    "load_run",
    "plot",
    "plot_cadence",
    "plot_corner",
    "plot_counts",
    "plot_diagram",
    "plot_distributions",
    "plot_efficiency",
    "plot_lightcurve",
    "plot_parameter",
    "plot_pointings",
    "plot_psf_field",
    "plot_pulls",
    "plot_raw_ccd",
    "plot_raw_quadrant",
    "plot_redshifts",
    "plot_residual_map",
    "plot_scaling",
    "plot_transmission",
    "worst_fits",
    "write_gallery",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f"chandelle.report.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'chandelle.report' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
