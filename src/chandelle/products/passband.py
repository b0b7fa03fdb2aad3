"""Passbands: what fraction of the photons of each wavelength a survey counts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.typing import ArrayLike
from chandelle.products.schema import table_from_columns

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
        mean = np.trapezoid(self.transmission * self.wave, self.wave)
        return float(mean / np.trapezoid(self.transmission, self.wave))


def passband_table(passbands: Mapping[str, Passband]) -> pa.Table:
    """Give passbands as one table: a row a sample, those of a passband together.

    Parameters
    ----------
    passbands : mapping of name to Passband
        Any number.

    Returns
    -------
    pyarrow.Table
        band, wave [angstrom], transmission, source.
    """
    if not passbands:
        return table_from_columns({"band": np.array([], str), "wave": [], "transmission": []})
    sizes = [len(band.wave) for band in passbands.values()]
    sources = [band.source for band in passbands.values()]
    return table_from_columns(
        {
            "band": np.repeat(np.array(list(passbands), dtype=object), sizes),
            "wave": np.concatenate([band.wave for band in passbands.values()]),
            "transmission": np.concatenate([band.transmission for band in passbands.values()]),
            "source": np.repeat(np.array(sources, dtype=object), sizes),
        }
    )


def passbands_of_table(table: pa.Table) -> dict[str, Passband]:
    """Passbands of a table that `passband_table` made.

    Parameters
    ----------
    table : pyarrow.Table
        A row a sample.

    Returns
    -------
    dict of name to Passband
        In the order of the table.
    """
    names = table["band"].combine_chunks().dictionary_encode()
    wave, transmission = table["wave"].to_numpy(), table["transmission"].to_numpy()
    code = names.indices.to_numpy()
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(names.dictionary) + 1))
    passbands = {}
    for k, name in enumerate(names.dictionary.to_pylist()):
        rows = order[starts[k] : starts[k + 1]]
        passbands[name] = Passband(
            name=name,
            wave=wave[rows],
            transmission=transmission[rows],
            source=table["source"][int(rows[0])].as_py(),
        )
    return passbands
