"""Bias of an amplifier: a level, a slope along the rows, a pattern of columns, and their drifts.

In read order. The overscan shares the level and the slope, as the same amplifier reads it, so that
a polynomial along the rows of its medians takes them out; the pattern of columns is of the science
pixels alone, and a master bias takes it out.
"""

import math

import numpy as np
from jaxtyping import Array, Key
from numpy.polynomial import legendre
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from chandelle.core.config import StageConfig
from chandelle.instrument.ccd import Quadrant
from chandelle.simulate.frames.deviates import normal

_DEGREE = 3


class BiasSettings(StageConfig):
    """Amplitudes of the bias structure [DN], one sigma among quadrants, nights or frames.

    `slope_dn` is that of each Legendre polynomial of degree 1 to 3 along the rows, `column_dn` that
    of a column; `night_fraction` of both changes from night to night, `frame_dn` of the level from
    frame to frame. The first frame of a series is `warmup_dn` too high, later ones less by a factor
    e each `warmup_frames`.
    """

    model_config = ConfigDict(allow_inf_nan=False)
    slope_dn: float = Field(default=2.0, ge=0.0)
    column_dn: float = Field(default=2.0, ge=0.0)
    night_fraction: float = Field(default=0.2, ge=0.0)
    frame_dn: float = Field(default=0.5, ge=0.0)
    warmup_dn: float = 8.0
    warmup_frames: float = Field(default=2.0, gt=0.0)


def bias_along_rows(
    quadrant: Quadrant,
    settings: BiasSettings,
    *,
    key: Key[Array, ""],
    night: int,
    frame: str,
    place_in_series: int | None = None,
) -> NDArray[np.float32]:
    """Bias that science pixels and overscan share.

    Parameters
    ----------
    quadrant : Quadrant
        It has the level.
    settings : BiasSettings
        Amplitudes.
    key : Key
        Of the quadrant, the same in all frames.
    night : int, day
        MJD of the night.
    frame : str
        Its name.
    place_in_series : int, optional
        0 for the first frame of a series; without, the amplifier has settled.

    Returns
    -------
    NDArray, shape (y,), DN
        One a row, in read order.
    """
    slopes = settings.slope_dn * _drawn(key, "slope", night, _DEGREE, settings.night_fraction)
    level = quadrant.bias_dn + settings.frame_dn * normal(key, "bias", "frame", frame, shape=1)[0]
    if place_in_series is not None:
        level += settings.warmup_dn * math.exp(-place_in_series / settings.warmup_frames)
    height = np.linspace(-1.0, 1.0, quadrant.n_rows)
    return legendre.legval(height, [level, *slopes]).astype(np.float32)


def bias_of_columns(
    quadrant: Quadrant, settings: BiasSettings, *, key: Key[Array, ""], night: int
) -> NDArray[np.float32]:
    """Bias of the science pixels alone, shape (x,) [DN], one a column in read order."""
    pattern = _drawn(key, "column", night, quadrant.n_columns, settings.night_fraction)
    return (settings.column_dn * pattern).astype(np.float32)


def _drawn(
    key: Key[Array, ""], what: str, night: int, n: int, fraction: float
) -> NDArray[np.float64]:
    """Unit normal numbers that last, and a fraction of as many that the night brings."""
    lasting = normal(key, "bias", what, shape=n)
    return lasting + fraction * normal(key, "bias", what, night, shape=n)
