"""Magnitude systems of the epochs, and how their zero points become those of AB."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.instrument.reference import ReferenceSpectrum, read_reference_spectrum
from chandelle.lightcurve.ingest.coded import Coded
from chandelle.physics.photometry import ab_bandflux, zero_magnitude_flux
from chandelle.products.passband import Passband, filter_of

Standard = str | Path | ReferenceSpectrum
Composite = Mapping[str, tuple[Standard, float]]
System = Standard | Composite
"""A spectrum of magnitude zero, its file, "ab" or "vega", or, by band, one of them and an offset.

In a composite, ``(standard, offset)`` says that the standard has magnitude `offset` in the band,
as in sncosmo.
"""

_BUILT_IN = ("ab", "vega")


def read_systems(systems: Mapping[str, System]) -> dict[str, System]:
    """Read the files among the definitions; names of systems are lower-cased.

    Parameters
    ----------
    systems : mapping of name to System
        What the names in the column zpsys mean.

    Returns
    -------
    dict
        Spectra instead of paths.

    Raises
    ------
    InputError
        If a file is no spectrum.
    """
    read: dict[str, System] = {}
    for name, system in systems.items():
        if isinstance(system, Mapping):
            read[name.lower()] = {
                band: (_standard(standard), float(offset))
                for band, (standard, offset) in system.items()
            }
        else:
            read[name.lower()] = _standard(system)
    return read


def _standard(standard: Standard) -> Standard:
    if isinstance(standard, ReferenceSpectrum):
        return standard
    if isinstance(standard, str) and standard.lower() in _BUILT_IN:
        return standard.lower()
    return read_reference_spectrum(standard)


def ab_offset(passband: Passband, name: str, systems: Mapping[str, System]) -> float:
    r"""AB magnitude, in a band, of a source of magnitude zero of a system.

    .. math:: m_{AB} - m = -2.5 \log_{10} (F_0^{system} / F_0^{AB})

    Parameters
    ----------
    passband : Passband
        Any.
    name : str
        Of the system, lower case.
    systems : mapping
        What `read_systems` returned; "ab" and "vega" are known without.

    Returns
    -------
    float, mag
        To be added to magnitudes and zero points of the system.

    Raises
    ------
    InputError
        If the system is unknown, or not defined in this band.
    """
    system = systems.get(name, name if name in _BUILT_IN else None)
    if system is None and not name:
        raise InputError(
            "zpsys is missing in some rows: fill it, or drop the column where all is AB"
        )
    if system is None:
        raise InputError(
            f"zpsys {name!r} is unknown: give its standard, zpsys={{{name!r}: path of a spectrum}}"
        )
    offset = 0.0
    if isinstance(system, Mapping):
        band = filter_of(passband.name)
        if band not in system:
            raise InputError(f"zpsys {name!r} is not defined in band {band}")
        system, offset = system[band]
        system = systems.get(system, system) if isinstance(system, str) else system
    if isinstance(system, Mapping | Path):
        raise InputError(f"zpsys {name!r}: a composite is made of spectra, 'ab' or 'vega'")
    ratio = zero_magnitude_flux(passband, system) / ab_bandflux(passband)
    return -2.5 * np.log10(ratio) - offset


def ab_offsets(
    system: Coded,
    band: Coded,
    *,
    passbands: Mapping[str, Passband],
    systems: Mapping[str, System],
) -> tuple[NDArray[np.float64], list[str]]:
    """Offset of each row to AB.

    Parameters
    ----------
    system, band : Coded
        Names, shape (obs,).
    passbands : mapping
        Those that are known.
    systems : mapping
        What `read_systems` returned.

    Returns
    -------
    offset : NDArray, shape (obs,), mag
        To be added to the zero point; NaN where the system does not serve.
    problems : list of str
        Why some do not.
    """
    offsets = np.full((len(system.values), len(band.values)), np.nan)
    problems: dict[str, None] = {}
    n_band = len(band.values)
    used = np.bincount(system.codes * n_band + band.codes, minlength=offsets.size) > 0
    for i, j in np.argwhere(used.reshape(offsets.shape)):
        name, passband = str(system.values[i]).lower(), passbands.get(str(band.values[j]))
        if name == "ab" and "ab" not in systems:
            offsets[i, j] = 0.0
        elif passband is not None:
            try:
                offsets[i, j] = ab_offset(passband, name, systems)
            except InputError as error:
                problems[str(error)] = None
    return offsets[system.codes, band.codes], list(problems)
