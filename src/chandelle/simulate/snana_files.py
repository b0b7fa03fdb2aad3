"""Files that SNANA reads: FITS tables, a table of passbands, a README."""

import gzip
import io
from collections.abc import Mapping

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from chandelle.core.provenance import code_version
from chandelle.products.passband import Passband

Columns = dict[str, tuple[str, NDArray]]
"""FITS format and values of each column."""
ZP_FLUXCAL = 27.5
MAG_OFFSET = 0.27
"""What SNANA adds to the magnitudes of a SALT model [mag] (MAG_OFFSET of SALT2.INFO)."""
MB_ZERO = 10.635
"""SNANA's mB is this minus 2.5 log10 of its x0."""
TYPES = {
    "SN Ia": 1,
    "SN II": 20,
    "SN IIn": 21,
    "SN IIb": 22,
    "SN Ib": 32,
    "SN Ic": 33,
    "SN Ic-BL": 34,
}
"""Numbers of classes in SNTYPE and SIM_GENTYPE: Ia as everywhere, the others told in the README."""


def snana_table(
    facts: Mapping[str, str | int | float | tuple], columns: Columns, kind: str, *, compress: bool
) -> bytes:
    """Make a file of one table, the same bytes at any time."""
    primary = fits.PrimaryHDU()
    for name, value in facts.items():
        primary.header[name] = value
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, form, array=values) for name, (form, values) in columns.items()],
        name=kind,
    )
    return _bytes(fits.HDUList([primary, table]), compress)


def _bytes(hdus: fits.HDUList, compress: bool) -> bytes:
    plain = io.BytesIO()
    hdus.writeto(plain)
    return gzip.compress(plain.getvalue(), mtime=0) if compress else plain.getvalue()


def kcor_table(curves: Mapping[str, Passband]) -> bytes:
    """Make a kcor file of passbands, on the samples of all of them, and zero offsets from AB."""
    wave = np.unique(np.concatenate([np.asarray(one.wave) for one in curves.values()]))
    zeros = np.zeros(len(curves))
    offsets = fits.BinTableHDU.from_columns(
        [
            fits.Column("Filter Name", "20A", array=list(curves)),
            fits.Column("Primary Name", "20A", array=["AB"] * len(curves)),
            fits.Column("Primary Mag", "1D", array=zeros),
            fits.Column("ZPoff(Primary)", "1D", array=zeros),
            fits.Column("ZPoff(SNpot)", "1D", array=zeros),
        ],
        name="ZPoff",
    )
    shapes = [
        fits.Column(
            name,
            "1D",
            array=np.interp(wave, one.wave, one.transmission, left=0.0, right=0.0),
        )
        for name, one in curves.items()
    ]
    filters = fits.BinTableHDU.from_columns(
        [fits.Column("wavelength (A)", "1D", array=wave), *shapes], name="FilterTrans"
    )
    return _bytes(fits.HDUList([fits.PrimaryHDU(), offsets, filters]), compress=False)


def snana_readme(name: str, survey: str, model: str, *, n: int, letters: Mapping[str, str]) -> str:
    """Say what SNANA asks of a README, and what a reader must know."""
    filters = ", ".join(f"{letter} = {band}" for band, letter in letters.items())
    kinds = ", ".join(f"{number} = {kind}" for kind, number in TYPES.items())
    return f"""DOCUMENTATION:
  PURPOSE: simulated light curves with their truth
  GENVERSION: {name}
  SURVEY: {survey}
  MODEL: {model}
  NLC_WRITE: {n}
  WRITTEN_BY: {code_version("simulate")}
  NOTES:
  - "filters: {filters}; AB magnitudes, FLUXCAL at zero point {ZP_FLUXCAL}"
  - "x0 is that of SNANA: 10^(0.4 x {MAG_OFFSET}) that of sncosmo; mB = {MB_ZERO} - 2.5 log10 x0"
  - "SIM_VPEC is positive when receding"
  - "SIM_LENSDMU, SIM_MAGSMEAR_COH and SIM_SALT2gammaDM are positive when fainter"
  - "types: {kinds}"
  - "{name}_KCOR.FITS has passbands and AB offsets alone; fits by SNANA want one of kcor.exe"
DOCUMENTATION_END:
"""
