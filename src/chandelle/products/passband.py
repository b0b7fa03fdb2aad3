"""Passbands: what fraction of the photons of each wavelength a survey counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.typing import ArrayLike

POSITION_MARK = "@"
"""Stands between the name of a filter and the place on the focal plane its passband is for."""


def filter_of(name: str) -> str:
    """Name of the filter of a passband: what stands before the mark of a position.

    Parameters
    ----------
    name : str
        Of a passband.

    Returns
    -------
    str
        The same for the passbands of one filter at all positions.

    Examples
    --------
    >>> filter_of("megacam_g@12.5"), filter_of("ztfg")
    ('megacam_g', 'ztfg')
    """
    return name.split(POSITION_MARK)[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Passband:
    """A photon-counting response, linear between its samples and zero outside.

    Attributes
    ----------
    name : str
        As in sncosmo (``"ztfg"``), or as its file calls it.
    wave : NDArray, shape (sample,), angstrom
        Increasing.
    transmission : NDArray, shape (sample,)
        Photons counted per photon; the scale cancels in calibrated fluxes.
    source : str
        Where the curve came from.
    """

    name: str
    wave: NDArray[np.float64]
    transmission: NDArray[np.float64]
    source: str = ""

    def __post_init__(self) -> None:
        wave, transmission = self.wave, self.transmission
        if wave.ndim != 1 or wave.shape != transmission.shape or len(wave) < 2:
            raise InputError(
                f"passband {self.name}: wave and transmission must be two or more samples of one "
                f"length, got {wave.shape} and {transmission.shape}"
            )
        if not (np.isfinite(wave).all() and np.isfinite(transmission).all()):
            raise InputError(f"passband {self.name}: wave or transmission has NaN or infinity")
        if not (np.diff(wave) > 0).all():
            raise InputError(f"passband {self.name}: wave must increase; sort it, drop doubles")
        if not np.any(transmission > 0):
            raise InputError(f"passband {self.name}: no sample transmits")

    def __call__(self, wave: ArrayLike) -> NDArray[np.float64]:
        """Transmission at any wavelengths [angstrom]."""
        return np.interp(np.asarray(wave), self.wave, self.transmission, left=0.0, right=0.0)

    @property
    def mean_wave(self) -> float:
        """Transmission-weighted mean wavelength [angstrom]."""
        weight = np.gradient(self.wave) * self.transmission
        return float((weight * self.wave).sum() / weight.sum())
