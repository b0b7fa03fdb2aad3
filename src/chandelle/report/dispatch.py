"""One name that draws any product."""

from typing import Any

from matplotlib.axes import Axes

from chandelle.compute.scaling_result import Scaling
from chandelle.core.errors import InputError
from chandelle.products.diagram import Diagram
from chandelle.products.exposures import Exposures
from chandelle.products.lightcurves import LightCurves
from chandelle.products.posterior import Posterior
from chandelle.products.saltfits import SaltFits
from chandelle.products.targets import Targets
from chandelle.report.figures import plot_corner, plot_diagram, plot_parameter, plot_redshifts
from chandelle.report.lightcurve_figure import plot_lightcurve
from chandelle.report.sample_figures import plot_counts, plot_efficiency
from chandelle.report.scaling_figure import plot_scaling
from chandelle.report.survey_figures import plot_cadence, plot_pointings
from chandelle.simulate.truth import Truth


def plot(
    product: LightCurves | SaltFits | Targets | Diagram | Posterior | Scaling | Exposures | Truth,
    *others: LightCurves | SaltFits | Scaling | Axes,
    ax: Axes | None = None,
    **options: Any,
) -> Any:
    """Draw a product.

    Parameters
    ----------
    product : LightCurves, SaltFits, Targets, Diagram, Posterior, Scaling, Exposures or Truth
        Light curves ask for `sn=`; fits take `name=` ("x1", "c"); a diagram takes `posterior=`; a
        log with `field=` is drawn in time, else on the sky; a truth with `by=` as shares that are
        found, else as counts.
    *others : LightCurves, SaltFits, Scaling or Axes
        ``plot(fits, lcs, sn=...)`` draws a light curve with its fit, in either order; axes may
        stand here too. Several scalings are drawn together.
    ax : Axes, optional
        A new figure's when not given; posteriors and scalings fill a figure, `figure=`.
    **options
        Those of `plot_lightcurve`, `plot_parameter`, `plot_redshifts`, `plot_diagram`,
        `plot_corner`, `plot_scaling`, `plot_cadence`, `plot_counts`, `plot_efficiency`.

    Returns
    -------
    Axes, pair of Axes or array of Axes
        As the function called returns.

    Raises
    ------
    InputError
        If light curves come without `sn=`, a posterior or scaling with `ax`, or another product.
    """
    if isinstance(product, Scaling):
        scalings = [other for other in others if isinstance(other, Scaling)]
        if ax is not None or len(scalings) < len(others):
            raise InputError("scalings fill a figure, and stand alone; give figure= instead of ax")
        return plot_scaling(product, *scalings, **options)
    for other in others:
        if isinstance(other, Axes):
            ax = other
        elif isinstance(other, LightCurves) and isinstance(product, SaltFits):
            product, options = other, {"fits": product, **options}
        elif isinstance(other, SaltFits) and isinstance(product, LightCurves):
            options = {"fits": other, **options}
        else:
            raise InputError(
                f"plot of {type(product).__name__} takes no {type(other).__name__}; a light curve "
                "is drawn by plot(fits, lightcurves, sn=...)"
            )
    if isinstance(product, LightCurves):
        if "sn" not in options:
            names = ", ".join(product.targets["sn"][:3].tolist())
            raise InputError(f"plot of light curves: give sn=, one of {names}, ...")
        return plot_lightcurve(product, ax=ax, **options)
    if isinstance(product, SaltFits):
        return plot_parameter(product, ax=ax, **options)
    if isinstance(product, Targets):
        return plot_redshifts(product, ax=ax, **options)
    if isinstance(product, Diagram):
        return plot_diagram(product, ax=ax, **options)
    if isinstance(product, Truth):
        draw = plot_efficiency if "by" in options else plot_counts
        return draw(product, ax=ax, **options)
    if isinstance(product, Exposures):
        draw = plot_cadence if "field" in options else plot_pointings
        return draw(product, ax=ax, **options)
    if not isinstance(product, Posterior):
        raise InputError(
            "plot takes light curves, SALT fits, targets, a diagram, a posterior, a scaling, a log "
            "or a truth, got "
            f"{type(product).__name__}; see the functions plot_* of chandelle.report"
        )
    if ax is not None:
        raise InputError("a corner plot fills a figure; give figure= instead of ax")
    return plot_corner(product, **options)
