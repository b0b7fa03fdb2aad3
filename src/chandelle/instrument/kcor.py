"""SNANA calibration files (kcor): passbands and zero points of a survey's light curves."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from chandelle.core.errors import InputError
from chandelle.products.passband import Passband

_SHIFTED = "*"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kcor:
    """Passbands of a survey and how its magnitudes relate to AB.

    Attributes
    ----------
    passbands : dict of Passband
        By full filter name (``"PS1-g"``); names with ``*`` are wavelength-shifted variants.
    zero_points : dict of float, mag
        Survey magnitude minus AB magnitude of the same source: subtract it to get AB.
    primaries : dict of str
        Primary reference of each filter (``"AB"``, ``"BD17"``).
    """

    passbands: dict[str, Passband]
    zero_points: dict[str, float]
    primaries: dict[str, str]

    def name_of(self, letter: str) -> str | None:
        """Full name of the filter that a light-curve file calls by one letter.

        Parameters
        ----------
        letter : str
            Last character of the filter's name, or the full name.

        Returns
        -------
        str or None
            None if there is no such filter; variants (``*``) are never meant.

        Raises
        ------
        InputError
            If two filters end with this letter.
        """
        if letter in self.passbands:
            return letter
        plain = [name for name in self.passbands if not name.startswith(_SHIFTED)]
        names = [name for name in plain if len(letter) == 1 and name.endswith(letter)]
        if len(names) > 1:
            raise InputError(f"filter {letter!r} is ambiguous: it may be {' or '.join(names)}")
        return names[0] if names else None


def read_kcor(path: str | Path) -> Kcor:
    """Read passbands and zero points from an SNANA kcor file.

    Parameters
    ----------
    path : str or Path
        FITS, also gzipped, with tables ZPoff and FilterTrans.

    Returns
    -------
    Kcor
        Responses as in the file: photon counting.

    Raises
    ------
    InputError
        If the file is absent, has not these tables, or asks for offsets on the supernova
        photometry (column ZPoff(SNpot)), whose sign differs between releases.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such kcor file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)
        try:
            offsets = cast("fits.FITS_rec", fits.getdata(path, "ZPoff"))
            curves = cast("fits.FITS_rec", fits.getdata(path, "FilterTrans"))
            names = [str(name).strip() for name in offsets["Filter Name"]]
            primaries = [str(name).strip() for name in offsets["Primary Name"]]
            zero_points = np.asarray(offsets["ZPoff(Primary)"], dtype=float)
            on_photometry = np.asarray(offsets["ZPoff(SNpot)"], dtype=float)
            titles = list(curves.names or [])
            columns = [np.asarray(curves[name], dtype=float) for name in titles]
        except (KeyError, OSError) as error:
            raise InputError(
                f"{path}: expected an SNANA kcor file with tables ZPoff and FilterTrans; {error}"
            ) from error
    wave, *responses = columns
    curve_names = [name.strip() for name in titles[1:]]
    if curve_names != names:
        raise InputError(f"{path}: FilterTrans has {curve_names}, ZPoff has {names}")
    if np.any(on_photometry != 0.0):
        raise InputError(f"{path}: ZPoff(SNpot) is not zero; apply it to the photometry first")
    passbands = {
        name: Passband(name=name, wave=wave, transmission=response, source=str(path))
        for name, response in zip(names, responses, strict=True)
    }
    return Kcor(
        passbands=passbands,
        zero_points=dict(zip(names, zero_points.tolist(), strict=True)),
        primaries=dict(zip(names, primaries, strict=True)),
    )
