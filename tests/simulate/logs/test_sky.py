"""Sky and depth against published values and a Monte Carlo of the CCD equation."""

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.simulate.logs.lsst import LSST_LOG
from chandelle.simulate.logs.sky import limiting_magnitude, noise_area, sky_brightness


def brightness(dark, wave, *, lit=0.0, moon=-30.0, apart=70.0, sun=-40.0, height=90.0, k=0.17):
    one = np.ones(1)
    return sky_brightness(
        dark * one,
        wave=wave * one,
        extinction=k * one,
        altitude=height * one,
        moon_fraction=lit * one,
        moon_altitude=moon * one,
        moon_separation=apart * one,
        sun_altitude=sun * one,
    )[0]


def test_moonlight_against_the_sky_model_of_paranal():
    # ESO SkyCalc 1.4.3 (Noll et al. 2012, Jones et al. 2013), full moon 45 deg high and 45 deg from
    # a field at zenith: B V R I z in Vega magnitudes, brought to AB. Both laws claim 20 % in V.
    paranal = {5450.0: 18.01, 6410.0: 18.00 + 0.21, 7980.0: 17.95 + 0.45, 9000.0: 17.73 + 0.51}
    for wave, mag in paranal.items():
        assert abs(brightness(21.5, wave, lit=1.0, moon=45.0, apart=45.0) - mag) < 0.36
    blue = brightness(22.5, 4400.0, lit=1.0, moon=45.0, apart=45.0)
    assert abs(blue - (18.20 - 0.09)) < 0.7
    # At half moon (phase angle 90 deg) the moon is 2.6 mag fainter: their eq. 20 by hand.
    half = brightness(40.0, 5450.0, lit=0.5, moon=45.0, apart=45.0)
    full = brightness(40.0, 5450.0, lit=1.0, moon=45.0, apart=45.0)
    assert abs(half - full - (0.026 * 90.0 + 4e-9 * 90.0**4)) < 1e-6


def test_dark_sky_brightens_toward_the_horizon():
    # Krisciunas and Schaefer, eq. 2 and 3 at 60 deg from zenith, by hand.
    path = (1.0 - 0.96 * 0.75) ** -0.5
    expected = 21.6 - 2.5 * np.log10(path) + 0.17 * (path - 1.0)
    assert abs(brightness(21.6, 5450.0, height=30.0) - expected) < 1e-6
    assert abs(brightness(21.6, 5450.0) - 21.6) < 1e-6


def test_twilight_and_moon_only_add():
    dark = brightness(21.0, 6400.0)
    assert brightness(21.0, 6400.0, sun=-12.0) < dark - 1.4
    assert dark - 0.01 < brightness(21.0, 6400.0, sun=-18.0) < dark
    assert brightness(21.0, 6400.0, lit=1.0, moon=-1.0) == dark
    bright = [brightness(21.0, 6400.0, lit=1.0, moon=50.0, apart=a) for a in (20.0, 50.0, 90.0)]
    assert (np.diff(bright) > 0).all()


def test_depth_is_where_a_fit_of_noisy_stamps_finds_five_sigma():
    # Independent: a Gaussian star on pixels, Poisson photons, read noise; flux by matched filter.
    rng = np.random.default_rng(3)
    zp, sky_mag, fwhm, pixel, read = 27.0, 20.8, 2.4, 0.5, 12.0
    depth = limiting_magnitude(
        np.array([zp]),
        np.array([sky_mag]),
        np.array([fwhm]),
        pixel_arcsec=pixel,
        pixel_variance=read**2,
    )[0]
    star = 10.0 ** (0.4 * (zp - depth))
    x = (np.arange(41) - 20) * pixel
    sigma = fwhm / 2.3548
    psf = np.exp(-0.5 * (x[:, None] ** 2 + x[None, :] ** 2) / sigma**2)
    psf /= psf.sum()
    sky = 10.0 ** (0.4 * (zp - sky_mag)) * pixel**2
    n = 4000
    image = rng.poisson(sky + star * psf, (n, 41, 41)) + rng.normal(0.0, read, (n, 41, 41))
    flux = ((image - sky) * psf).sum(axis=(1, 2)) / (psf**2).sum()
    # A filter of the PSF weighs the star's photons by p^3: 1.33 of them count, not 1.
    extra = star * ((psf**3).sum() / (psf**2).sum() ** 2 - 1.0)
    expected = np.sqrt((star / 5.0) ** 2 + extra)
    assert abs(flux.std() / expected - 1.0) < 5.0 / np.sqrt(2.0 * n)
    assert abs(flux.mean() - star) < 5.0 * expected / np.sqrt(n)


def test_noise_factor_and_snr():
    one = np.ones(1)
    pixels = {"pixel_arcsec": 1.0, "pixel_variance": 0.0}
    base = limiting_magnitude(40.0 * one, 21.0 * one, one, **pixels)
    worse = limiting_magnitude(40.0 * one, 21.0 * one, one, noise_factor=2.0, **pixels)
    # Limited by the sky: twice the noise is twice the flux.
    assert np.allclose(base - worse, 2.5 * np.log10(2.0), atol=1e-3)
    single = limiting_magnitude(40.0 * one, 21.0 * one, one, snr=1.0, **pixels)
    assert np.allclose(single - base, 2.5 * np.log10(5.0), atol=1e-3)
    assert np.allclose(noise_area(2.3548 * one), 4.0 * np.pi, rtol=1e-4)
    with pytest.raises(InputError, match="snr must be positive"):
        limiting_magnitude(one, one, one, snr=0.0, **pixels)


def test_depths_of_lsst_are_those_of_its_technical_note():
    # SMTN-002, fiducial depths of one 30 s visit at zenith in the dark, 0.7 arcsec at 500 nm.
    published = {"u": 23.70, "g": 24.97, "r": 24.52, "i": 24.13, "z": 23.56, "y": 22.55}
    fwhm = {"u": 0.92, "g": 0.87, "r": 0.83, "i": 0.80, "z": 0.78, "y": 0.76}
    for band in LSST_LOG.bands:
        letter = band.name[-1]
        depth = limiting_magnitude(
            np.array([band.zp_second + 2.5 * np.log10(30.0)]),
            np.array([band.sky_mag]),
            np.array([fwhm[letter]]),
            pixel_arcsec=0.2,
            pixel_variance=8.8**2 + 0.2 * 30.0,
        )[0]
        assert abs(depth - published[letter]) < 0.2, (letter, depth)
