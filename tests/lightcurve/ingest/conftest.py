"""Shared by the tests of the readers: SNANA calibration files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits


@pytest.fixture(scope="session")
def write_kcor() -> Callable[..., Path]:
    """Function of (path, offset=, names=) that writes a calibration file of triangular filters."""
    return _write_kcor


def _write_kcor(
    path: Path, offset: float = -0.02, names: Sequence[str] = ("PS1-g", "PS1-r")
) -> Path:
    zeros = np.zeros(len(names), np.float32)
    offsets = fits.BinTableHDU.from_columns(
        [
            fits.Column("Filter Name", "20A", array=list(names)),
            fits.Column("Primary Name", "20A", array=["AB"] * len(names)),
            fits.Column("Primary Mag", "1E", array=zeros + offset),
            fits.Column("ZPoff(Primary)", "1E", array=zeros + offset),
            fits.Column("ZPoff(SNpot)", "1E", array=zeros),
        ],
        name="ZPoff",
    )
    wave = np.arange(3000, 12000, 10.0)
    columns = [fits.Column("wavelength (A)", "1E", array=wave)]
    for name, middle in zip(names, range(4800, 12000, 1400), strict=False):
        shape = np.clip(1 - np.abs(wave - middle) / 700, 0, 1)
        columns.append(fits.Column(name, "1E", array=shape))
    curves = fits.BinTableHDU.from_columns(columns, name="FilterTrans")
    fits.HDUList([fits.PrimaryHDU(), offsets, curves]).writeto(path)
    return path
