"""Reference spectra that define magnitude systems other than AB."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import cast

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from chandelle.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReferenceSpectrum:
    """A star's spectrum; it has magnitude zero in every band of the system it defines.

    Attributes
    ----------
    name : str
        What the spectrum is of.
    wave : NDArray, shape (sample,), angstrom
        Increasing.
    flux : NDArray, shape (sample,), erg/s/cm2/angstrom
        Linear between the samples.
    """

    name: str
    wave: NDArray[np.float64]
    flux: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.wave.ndim != 1 or self.wave.shape != self.flux.shape or len(self.wave) < 2:
            raise InputError(
                f"spectrum {self.name}: wave and flux must be two or more samples of one length, "
                f"got {self.wave.shape} and {self.flux.shape}"
            )
        if not (np.isfinite(self.flux).all() and (np.diff(self.wave) > 0).all()):
            raise InputError(f"spectrum {self.name}: wave must increase and flux be finite")


@cache
def vega_spectrum() -> ReferenceSpectrum:
    """Spectrum of Vega that ships with chandelle (CALSPEC alpha_lyr_stis_010).

    sncosmo's "vega" is alpha_lyr_stis_007: read that file with `read_reference_spectrum` to get
    the same magnitudes to the last digit.

    Returns
    -------
    ReferenceSpectrum
        2500 to 26000 angstrom.
    """
    with (files("chandelle.instrument") / "data" / "vega.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return ReferenceSpectrum(name="vega", wave=arrays["wave"], flux=arrays["flux"])


def read_reference_spectrum(path: str | Path, *, name: str | None = None) -> ReferenceSpectrum:
    """Read a reference spectrum from CALSPEC FITS or from a text file of two columns.

    Parameters
    ----------
    path : str or Path
        FITS (``.fits``, ``.fits.gz``) with columns WAVELENGTH and FLUX in its first table, or
        text with wavelength [angstrom] and flux [erg/s/cm2/angstrom].
    name : str, optional
        Name to give it; the file's stem if absent.

    Returns
    -------
    ReferenceSpectrum
        In angstrom and erg/s/cm2/angstrom.

    Raises
    ------
    InputError
        If the file is absent or has not these columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such spectrum file")
    try:
        if ".fits" in path.suffixes:
            table = cast("fits.FITS_rec", fits.getdata(path, 1))
            wave = np.asarray(table["WAVELENGTH"], dtype=float)
            flux = np.asarray(table["FLUX"], dtype=float)
        else:
            wave, flux = np.loadtxt(path, usecols=(0, 1), unpack=True)
    except (KeyError, IndexError, OSError, ValueError) as error:
        raise InputError(f"{path}: expected columns WAVELENGTH and FLUX; {error}") from error
    return ReferenceSpectrum(name=name or path.name.split(".")[0], wave=wave, flux=flux)
