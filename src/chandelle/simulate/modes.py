"""Calibration modes: errors of the zero points that all supernovae of a survey share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jax
import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for, keys_for
from chandelle.core.units import LN10_OVER_2P5
from chandelle.instrument.passbands import list_passbands

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationModes:
    r"""Errors of zero points, each of unit prior.

    A mode k moves the zero point of band b by :math:`s_{kb}` an unit: with amplitudes
    :math:`\epsilon_k \sim N(0, 1)`, common to all that is measured,

    .. math:: f = f_{true}\, 10^{-0.4 \sum_k \epsilon_k s_{kb}}, \qquad
              \partial f / \partial \epsilon_k = -0.4 \ln 10\; s_{kb}\, f .

    Attributes
    ----------
    shifts : mapping of str to mapping
        By name of the mode: mag a unit, by name of the passband; a band left out does not move.

    Examples
    --------
    >>> modes = CalibrationModes.of_bands({"ztfg": 0.01, "ztfr": 0.005})
    >>> modes.names, modes.table(["ztfr", "lsstg"]).tolist()
    (('zp_ztfg', 'zp_ztfr'), [[0.0, 0.0], [0.005, 0.0]])
    """

    shifts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of_bands(cls, sigma: Mapping[str, float]) -> "CalibrationModes":
        """One mode a band, of its own zero point; `sigma` [mag] by name of the passband."""
        return cls(shifts={f"zp_{band}": {band: value} for band, value in sigma.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """Of the modes."""
        return tuple(self.shifts)

    def table(self, bands: Sequence[str]) -> Floats:
        """What each mode does to each of some bands, shape (mode, band) [mag]."""
        rows = [[shift.get(band, 0.0) for band in bands] for shift in self.shifts.values()]
        return np.array(rows, dtype=float).reshape(len(self.shifts), len(bands))

    def check(self) -> None:
        """Refuse modes of unknown passbands.

        Raises
        ------
        InputError
            If there is one, or a shift is not finite.
        """
        known = list_passbands()
        for name, shift in self.shifts.items():
            unknown = sorted(set(shift) - set(known))
            if unknown:
                raise InputError(
                    f"calibration mode {name}: no passband {', '.join(unknown)}; there are "
                    f"{', '.join(known)}"
                )
            if not np.isfinite(list(shift.values())).all():
                raise InputError(f"calibration mode {name}: a shift is not finite: {dict(shift)}")

    def draw(self, seed: int) -> Floats:
        """Draw the amplitudes of a universe, shape (mode,); each mode has a key of its own."""
        if not self.names:
            return np.zeros(0)
        keys = keys_for(key_for(seed, "calibration modes"), self.names)
        return np.asarray(jax.vmap(lambda key: jax.random.normal(key, dtype=float))(keys))


def moved(flux: Floats, table: Floats, amplitudes: Floats, band: NDArray[np.int64]) -> Floats:
    """Fluxes as zero points give them that are wrong by modes of some amplitudes.

    Parameters
    ----------
    flux : array, shape (obs,)
        With right zero points.
    table : array, shape (mode, band), mag
        As `CalibrationModes.table` gives it.
    amplitudes : array, shape (mode,)
        In units of their prior.
    band : array, shape (obs,)
        Which one.

    Returns
    -------
    array, shape (obs,)
        Of the unit of `flux`.
    """
    return flux * np.exp(-LN10_OVER_2P5 * (amplitudes @ table))[band]


def mode_derivatives(flux: Floats, table: Floats, band: NDArray[np.int64]) -> Floats:
    """How fluxes move with the modes, shape (obs, mode), of the unit of `flux` a unit."""
    return -LN10_OVER_2P5 * table.T[band] * flux[:, None] + 0.0  # no zero with a sign
