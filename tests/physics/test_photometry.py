"""Integrals through passbands against sncosmo 2.13."""

import numpy as np
import pytest
import sncosmo

from chandelle.core.errors import InputError
from chandelle.instrument.passbands import list_passbands, load_passband
from chandelle.instrument.reference import ReferenceSpectrum, read_reference_spectrum
from chandelle.physics.photometry import (
    ab_bandflux,
    band_samples,
    reference_bandflux,
    support,
    zero_magnitude_flux,
)
from chandelle.products.passband import Passband


def as_sncosmo(band):
    return sncosmo.Bandpass(band.wave, band.transmission, name=band.name)


@pytest.mark.parametrize("name", list_passbands())
def test_ab_zero_point(name):
    band = load_passband(name)
    theirs = sncosmo.get_magsystem("ab").zpbandflux(as_sncosmo(band))
    np.testing.assert_allclose(ab_bandflux(band), theirs, rtol=1e-12)
    assert zero_magnitude_flux(band, "ab") == ab_bandflux(band)


@pytest.mark.parametrize("name", ["ztfg", "lsstz", "bessellux"])
def test_vega_zero_point_with_the_spectrum_of_sncosmo(real_data, name):
    star = read_reference_spectrum(real_data / "spectra" / "alpha_lyr_stis_007.fits.gz")
    band = load_passband(name)
    theirs = sncosmo.SpectralMagSystem(sncosmo.SpectrumModel(star.wave, star.flux))
    np.testing.assert_allclose(
        zero_magnitude_flux(band, star), theirs.zpbandflux(as_sncosmo(band)), rtol=1e-12
    )
    difference = 2.5 * np.log10(zero_magnitude_flux(band, "vega") / zero_magnitude_flux(band, star))
    assert abs(difference) < 0.02


def test_vega_minus_ab_of_bessell():
    # Blanton & Roweis 2007, table 1: m_AB - m_Vega of B, V, R, I.
    expected = {"bessellb": -0.09, "bessellv": 0.02, "bessellr": 0.21, "besselli": 0.45}
    for name, offset in expected.items():
        band = load_passband(name)
        ours = -2.5 * np.log10(zero_magnitude_flux(band, "vega") / ab_bandflux(band))
        assert abs(ours - offset) < 0.03


def test_superfluous_zeros_do_not_move_the_grid():
    wave = np.array([3000.0, 3500.0, 4000.0, 4010.0, 5003.0, 5010.0, 6000.0, 7000.0])
    transmission = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    band = Passband(name="box", wave=wave, transmission=transmission)
    np.testing.assert_array_equal(support(band)[0], wave[2:6])
    theirs = as_sncosmo(band)
    np.testing.assert_allclose(
        ab_bandflux(band), sncosmo.get_magsystem("ab").zpbandflux(theirs), rtol=1e-13
    )
    samples = band_samples(band)
    assert len(samples.wave) % 64 == 0
    assert samples.wave.max() < 5010.0
    assert np.count_nonzero(samples.weight) == int(np.ceil(1010.0 / 5.0))


def test_refusals():
    band = load_passband("ztfg")
    short = ReferenceSpectrum(name="short", wave=np.array([4000.0, 5000.0]), flux=np.ones(2))
    with pytest.raises(InputError, match=r"ztfg .* reaches beyond the spectrum of short"):
        reference_bandflux(band, short)
    with pytest.raises(InputError, match="zpsys must be 'ab', 'vega'"):
        zero_magnitude_flux(band, "st")
