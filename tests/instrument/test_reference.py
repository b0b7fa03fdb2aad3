"""Reference spectra."""

import numpy as np
import pytest
from astropy.table import Table

from chandelle.core.errors import InputError
from chandelle.instrument.reference import (
    ReferenceSpectrum,
    read_reference_spectrum,
    vega_spectrum,
)


def test_vega_has_its_known_flux_at_5556_angstrom():
    # Megessier 1995: 3.46e-9 erg/s/cm2/angstrom +- 0.7 %; CALSPEC 3.44e-9 (Bohlin 2014).
    vega = vega_spectrum()
    flux = np.interp(5556.0, vega.wave, vega.flux)
    assert abs(flux / 3.44e-9 - 1.0) < 0.01
    assert vega.wave[0] < 3000.0
    assert vega.wave[-1] > 25000.0


@pytest.mark.parametrize("suffix", ["fits", "dat"])
def test_read_back(tmp_path, suffix):
    wave, flux = np.array([4000.0, 5000.0, 6000.0]), np.array([1e-9, 2e-9, 1.5e-9])
    path = tmp_path / f"star.{suffix}"
    table = Table({"WAVELENGTH": wave, "FLUX": flux})
    if suffix == "fits":
        table.write(path)
    else:
        np.savetxt(path, np.column_stack([wave, flux]))
    star = read_reference_spectrum(path)
    assert star.name == "star"
    np.testing.assert_array_equal(star.wave, wave)
    np.testing.assert_array_equal(star.flux, flux)


def test_vega_007_of_calspec_is_within_a_few_millimagnitudes(real_data):
    other = read_reference_spectrum(real_data / "spectra" / "alpha_lyr_stis_007.fits.gz")
    vega = vega_spectrum()
    wave = np.arange(4500.0, 8000.0)
    ratio = np.interp(wave, vega.wave, vega.flux) / np.interp(wave, other.wave, other.flux)
    assert abs(np.median(ratio) - 1.0) < 0.01


def test_bad_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such spectrum file"):
        read_reference_spectrum(tmp_path / "absent.fits")
    Table({"a": [1.0]}).write(tmp_path / "odd.fits")
    with pytest.raises(InputError, match=r"odd\.fits: expected columns WAVELENGTH and FLUX"):
        read_reference_spectrum(tmp_path / "odd.fits")


def test_spectrum_must_be_a_function():
    with pytest.raises(InputError, match="must increase"):
        ReferenceSpectrum(name="x", wave=np.array([2.0, 1.0]), flux=np.ones(2))
    with pytest.raises(InputError, match="one length"):
        ReferenceSpectrum(name="x", wave=np.array([1.0, 2.0]), flux=np.ones(3))
