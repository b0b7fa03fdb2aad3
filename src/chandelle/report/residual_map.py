"""Where the model fails the data: mean residuals by phase and rest-frame wavelength."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from chandelle.core.errors import InputError
from chandelle.report.style import INK, LABELS, MUTED, new_axes

Quantity = Literal["residual_mag", "pull_mean", "chi2_per_n"]


class _Look(NamedTuple):
    label: str
    colors: str
    middle: float
    digits: int


_LOOKS = {
    "residual_mag": _Look("mean residual, data - model (mag)", "RdBu_r", 0.0, 3),
    "pull_mean": _Look("mean pull (σ)", "RdBu_r", 0.0, 1),
    "chi2_per_n": _Look("χ² per epoch", "YlOrBr", 1.0, 1),
}


def plot_residual_map(
    bins: pd.DataFrame,
    quantity: Quantity = "residual_mag",
    *,
    at_least: int = 5,
    ax: Axes | None = None,
) -> Axes:
    """Draw binned residuals over phase and rest-frame wavelength.

    Each cell holds its value, bold where it is more than 3 sigma from what a right model gives, by
    the scatter between supernovae for the mean residual.

    Parameters
    ----------
    bins : DataFrame
        What `chandelle.lightcurve.residual_bins.bin_residuals` returns.
    quantity : {"residual_mag", "pull_mean", "chi2_per_n"}
        Which column.
    at_least : int
        Cells of fewer supernovae stay empty.
    ax : Axes, optional
        A new figure's when not given.

    Returns
    -------
    Axes
        The map; its color bar takes room from it.

    Raises
    ------
    InputError
        If the quantity is unknown, or no cell has supernovae enough.
    """
    if quantity not in _LOOKS:
        raise InputError(f"quantity must be one of {', '.join(_LOOKS)}, got {quantity!r}")
    look = _LOOKS[quantity]
    seen = bins.loc[bins["n_sn"] >= at_least]
    column = {name: bins[name].to_numpy() for name in bins.columns}
    if len(seen) == 0:
        raise InputError(f"no bin holds {at_least} supernovae; widen the bins")
    phases = np.append(np.unique(bins["phase_low"]), bins["phase_high"].max())
    waves = np.append(np.unique(bins["wave_low"]), bins["wave_high"].max())
    shape = (len(phases) - 1, len(waves) - 1)
    values = bins[quantity].where(bins["n_sn"] >= at_least).to_numpy().reshape(shape)
    ax = new_axes(ax, figsize=(8.4, 5.0))
    ax.grid(visible=False)
    spread = np.nanquantile(np.abs(values - look.middle), 0.95) or 1.0
    low = look.middle - (spread if look.middle == 0 else 1.0)
    mesh = ax.pcolormesh(
        phases, waves, values.T, cmap=look.colors, vmin=low, vmax=look.middle + spread
    )
    bar = ax.figure.colorbar(mesh, ax=ax, extend="both", pad=0.02)
    bar.set_label(look.label, color=INK)
    bar.outline.set_visible(False)
    error = "residual_mag_err_sn" if quantity == "residual_mag" else f"{quantity}_err"
    for i in np.flatnonzero(bins["n_sn"] >= at_least):
        value = column[quantity][i]
        is_far = abs(value - look.middle) > 3.0 * column[error][i]
        dark = abs(value - look.middle) > 0.65 * spread
        ax.text(
            0.5 * (column["phase_low"][i] + column["phase_high"][i]),
            0.5 * (column["wave_low"][i] + column["wave_high"][i]),
            f"{value:.{look.digits}f}",
            ha="center",
            va="center",
            fontsize=7,
            color="white" if dark else INK,
            fontweight="bold" if is_far else "normal",
        )
    ax.set_xlim(seen["phase_low"].min(), seen["phase_high"].max())
    ax.set_ylim(seen["wave_low"].min(), seen["wave_high"].max())
    ax.set_xlabel(LABELS["phase"])
    ax.set_ylabel("rest-frame wavelength (angstrom)")
    words = f"{seen['n'].sum()} epochs; bold: more than 3 σ off"
    ax.set_title(words, fontsize=9, color=MUTED, loc="left")
    return ax
