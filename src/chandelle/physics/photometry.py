r"""Integrals of spectra through passbands, as weighted sums over a midpoint grid.

.. math:: F = \int F_\lambda(\lambda)\, T(\lambda)\, \frac{\lambda}{hc}\, d\lambda
    \simeq \sum_k w_k F_\lambda(\lambda_k)

The grid divides the passband evenly at 5 angstrom or less for a model, 1 angstrom for a reference
spectrum, as sncosmo does, so that both codes give the same number.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import AB_JY, C_ANGSTROM_S, HC_ERG_ANGSTROM
from chandelle.instrument.reference import ReferenceSpectrum, vega_spectrum
from chandelle.products.passband import Passband

MODEL_SPACING = 5.0
REFERENCE_SPACING = 1.0
PAD = 64
_AB_CGS = AB_JY * 1e-23

FloatArray = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BandSamples:
    """A passband as samples of a spectrum and weights, padded with weight zero.

    Attributes
    ----------
    wave : NDArray, shape (sample,), angstrom
        Observer frame; the padding repeats the last sample.
    weight : NDArray, shape (sample,)
        Its product with F_lambda [erg/s/cm2/angstrom] sums to photons/s/cm2.
    """

    wave: FloatArray
    weight: FloatArray


def integration_grid(low: float, high: float, spacing: float) -> tuple[FloatArray, float]:
    """Midpoints that divide a range evenly, at most `spacing` apart.

    Parameters
    ----------
    low, high : float, angstrom
        The range.
    spacing : float, angstrom
        Largest step.

    Returns
    -------
    tuple of NDArray, shape (sample,), and float
        The midpoints and the step.
    """
    count = math.ceil((high - low) / spacing)
    step = (high - low) / count
    return low + (np.arange(count) + 0.5) * step, step


@lru_cache(maxsize=512)
def support(passband: Passband) -> tuple[FloatArray, FloatArray]:
    """Samples of a passband without the superfluous zeros at its ends.

    Parameters
    ----------
    passband : Passband
        Any.

    Returns
    -------
    tuple of two NDArrays
        Wavelength [angstrom] and transmission; one zero is kept on each side where there was one.
    """
    used = np.flatnonzero(passband.transmission)
    cut = slice(max(int(used[0]) - 1, 0), int(used[-1]) + 2)
    return passband.wave[cut], passband.transmission[cut]


@lru_cache(maxsize=512)
def band_samples(passband: Passband) -> BandSamples:
    """Turn a passband into samples and weights of its photon integral.

    Parameters
    ----------
    passband : Passband
        Any.

    Returns
    -------
    BandSamples
        Length a multiple of 64, so that few lengths occur.

    Examples
    --------
    >>> from chandelle.instrument.passbands import load_passband
    >>> band_samples(load_passband("ztfg")).wave.shape
    (448,)
    """
    wave, _ = support(passband)
    grid, step = integration_grid(float(wave[0]), float(wave[-1]), MODEL_SPACING)
    weight = passband(grid) * grid * step / HC_ERG_ANGSTROM
    missing = -len(grid) % PAD
    return BandSamples(wave=np.pad(grid, (0, missing), "edge"), weight=np.pad(weight, (0, missing)))


@lru_cache(maxsize=512)
def ab_bandflux(passband: Passband) -> float:
    """Photon flux of AB magnitude zero (3631 Jy at all frequencies).

    Parameters
    ----------
    passband : Passband
        Any.

    Returns
    -------
    float
        Photons/s/cm2.
    """
    wave, _ = support(passband)
    grid, step = integration_grid(float(wave[0]), float(wave[-1]), REFERENCE_SPACING)
    return float(_AB_CGS * step * C_ANGSTROM_S / HC_ERG_ANGSTROM * np.sum(passband(grid) / grid))


def reference_bandflux(passband: Passband, spectrum: ReferenceSpectrum) -> float:
    """Photon flux of a reference spectrum.

    Parameters
    ----------
    passband : Passband
        Any.
    spectrum : ReferenceSpectrum
        Must cover the passband.

    Returns
    -------
    float
        Photons/s/cm2.

    Raises
    ------
    InputError
        If the passband reaches beyond the spectrum.
    """
    wave, _ = support(passband)
    if wave[0] < spectrum.wave[0] or wave[-1] > spectrum.wave[-1]:
        raise InputError(
            f"passband {passband.name} [{wave[0]:.6g}, {wave[-1]:.6g}] reaches beyond the spectrum "
            f"of {spectrum.name} [{spectrum.wave[0]:.6g}, {spectrum.wave[-1]:.6g}] angstrom"
        )
    grid, step = integration_grid(float(wave[0]), float(wave[-1]), REFERENCE_SPACING)
    flux = np.interp(grid, spectrum.wave, spectrum.flux)
    return float(np.sum(grid * passband(grid) * flux) * step / HC_ERG_ANGSTROM)


def zero_magnitude_flux(passband: Passband, system: str | ReferenceSpectrum) -> float:
    """Photon flux of magnitude zero in a magnitude system.

    Parameters
    ----------
    passband : Passband
        Any.
    system : {"ab", "vega"} or ReferenceSpectrum
        ``"vega"`` is the spectrum that ships with chandelle (CALSPEC alpha_lyr_stis_010).

    Returns
    -------
    float
        Photons/s/cm2.

    Raises
    ------
    InputError
        For another name.
    """
    if isinstance(system, ReferenceSpectrum):
        return reference_bandflux(passband, system)
    if system == "ab":
        return ab_bandflux(passband)
    if system == "vega":
        return reference_bandflux(passband, vega_spectrum())
    raise InputError(
        f"zpsys must be 'ab', 'vega' or a spectrum read by read_reference_spectrum, got {system!r}"
    )
