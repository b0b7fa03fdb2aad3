"""Brightness of the sky and depth of an exposure."""

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError

Floats = NDArray[np.float64]

_V_EXTINCTION = 0.172
"""Of V at Mauna Kea, mag an airmass (Krisciunas and Schaefer 1991)."""
_SUN_COLOR_WAVE = np.array([3540.0, 4770.0, 5510.0, 6230.0, 7630.0, 9130.0])
_SUN_COLOR = np.array([1.46, 0.29, 0.0, -0.17, -0.28, -0.31])
"""Sun's AB magnitude in SDSS u g, V, SDSS r i z minus V (Willmer 2018, ApJS 236, 47, table 3)."""
_V_WAVE = 5450.0
_TWILIGHT_MAG, _TWILIGHT_SLOPE = 1.5, 1.2


def moonlight(
    phase_angle: Floats, moon_altitude: Floats, altitude: Floats, separation: Floats
) -> Floats:
    r"""Surface brightness of scattered moonlight in V.

    .. math:: B = f(\rho)\, I^* \, 10^{-0.4 k X(Z_m)} \left[1 - 10^{-0.4 k X(Z)}\right]

    Parameters
    ----------
    phase_angle : array, deg
        0 full, 180 new.
    moon_altitude, altitude : array, deg
        Of moon and field.
    separation : array, deg
        Of both.

    Returns
    -------
    array, nanolambert
        Zero when the moon has set.

    References
    ----------
    K. Krisciunas and B. E. Schaefer, 1991, PASP 103, 1033, eqs. 3, 15, 16, 18, 20, 21.
    """
    alpha = np.abs(phase_angle)
    intensity = 10.0 ** (-0.4 * (3.84 + 0.026 * alpha + 4e-9 * alpha**4))
    rho = np.maximum(separation, 1.0)
    rayleigh = 10.0**5.36 * (1.06 + np.cos(np.radians(rho)) ** 2)
    # Their eq. 19 takes over near the moon, where no survey looks.
    mie = np.where(rho < 10.0, 6.2e7 / rho**2, 10.0 ** (6.15 - rho / 40.0))
    transmitted = 10.0 ** (-0.4 * _V_EXTINCTION * _scattering_airmass(moon_altitude))
    scattered = 1.0 - 10.0 ** (-0.4 * _V_EXTINCTION * _scattering_airmass(altitude))
    return np.where(
        moon_altitude > 0.0, (rayleigh + mie) * intensity * transmitted * scattered, 0.0
    )


def _scattering_airmass(altitude: Floats) -> Floats:
    """Path through a thick layer: their eq. 3."""
    cos = np.cos(np.radians(np.maximum(altitude, 0.0)))
    return 1.0 / np.sqrt(1.0 - 0.96 * cos**2)


def sky_brightness(
    dark_mag: Floats,
    *,
    wave: Floats,
    extinction: Floats,
    altitude: Floats,
    moon_fraction: Floats,
    moon_altitude: Floats,
    moon_separation: Floats,
    sun_altitude: Floats,
) -> Floats:
    r"""Brightness of the sky: airglow, moon and twilight added as fluxes.

    The dark sky gains the path through the airglow and loses extinction (their eq. 2),
    :math:`B_0 X 10^{-0.4 k (X - 1)}`. Moonlight has the color of the sun, scattered as
    :math:`1/\lambda`, between haze and air: within 0.4 mag of the sky model of Paranal from V to
    z, 0.7 mag fainter in B. Twilight is 1.5 mag
    brighter than the dark sky when the sun is 12 deg down, and fades by 1.2 mag a degree (about
    what Patat et al. 2006 find in BVR; the one rough law here).

    Parameters
    ----------
    dark_mag : array, AB mag/arcsec2
        At zenith, no moon, no twilight.
    wave, extinction : array, angstrom, mag
        Of the band.
    altitude : array, deg
        Of the field.
    moon_fraction, moon_altitude, moon_separation : array, 1, deg, deg
        Of the moon.
    sun_altitude : array, deg
        Of the sun.

    Returns
    -------
    array, AB mag/arcsec2
        At the field, as it arrives at the ground (extinction not taken out).

    References
    ----------
    K. Krisciunas and B. E. Schaefer, 1991, PASP 103, 1033. F. Patat et al., 2006, A&A 455, 385.
    """
    path = _scattering_airmass(altitude)
    dark = 10.0 ** (-0.4 * dark_mag) * path * 10.0 ** (-0.4 * extinction * (path - 1.0))
    phase_angle = np.degrees(np.arccos(np.clip(2.0 * moon_fraction - 1.0, -1.0, 1.0)))
    light = moonlight(phase_angle, moon_altitude, altitude, moon_separation) * _V_WAVE / wave
    # Nanolamberts to mag/arcsec2 in V: their eq. 1; V is AB to 0.01 mag.
    color = np.interp(wave, _SUN_COLOR_WAVE, _SUN_COLOR)
    moon = light / 34.08 * np.exp(-20.7233) * 10.0 ** (-0.4 * color)
    fading = _TWILIGHT_MAG - _TWILIGHT_SLOPE * (-12.0 - sun_altitude)
    twilight = 10.0 ** (-0.4 * (dark_mag - fading))
    return -2.5 * np.log10(dark + moon + twilight)


def noise_area(fwhm: Floats) -> Floats:
    r"""Noise-equivalent area of a Gaussian PSF.

    Weighted by the PSF, uniform noise of variance v per unit area gives a flux the variance
    :math:`v / \int p^2 = 4 \pi \sigma^2 v = 2.266\, \mathrm{FWHM}^2\, v`.

    Parameters
    ----------
    fwhm : array, arcsec
        Full width at half maximum.

    Returns
    -------
    array, arcsec2
        Area.

    References
    ----------
    I. R. King, 1983, PASP 95, 163.

    Examples
    --------
    >>> noise_area(np.array([1.0])).round(3)
    array([2.266])
    """
    return np.pi / (2.0 * np.log(2.0)) * fwhm**2


def limiting_magnitude(
    zp: Floats,
    sky_mag: Floats,
    fwhm: Floats,
    *,
    pixel_arcsec: Floats | float,
    pixel_variance: Floats | float,
    noise_factor: Floats | float = 1.0,
    snr: float = 5.0,
) -> Floats:
    r"""Magnitude of a point source at a signal-to-noise ratio, from the CCD equation.

    .. math:: \mathrm{snr} = \frac{f}{\sqrt{f + b}}, \qquad
       b = \kappa^2\, 2.266\, \mathrm{FWHM}^2 \left(s + v / p^2\right)

    with f and s in electrons an exposure (s an arcsec2), v the variance of a pixel of side p
    without light; solved for f.

    Parameters
    ----------
    zp : array, AB mag
        Source of one electron an exposure.
    sky_mag : array, AB mag/arcsec2
        In the calibration of `zp`: 10^(0.4 (zp - sky_mag)) electrons an arcsec2.
    fwhm : array, arcsec
        Of the PSF.
    pixel_arcsec, pixel_variance : array or float, arcsec, electron2
        Side of a pixel; its read noise squared and dark charge.
    noise_factor : array or float
        Measured over ideal noise of the background.
    snr : float
        Signal-to-noise ratio.

    Returns
    -------
    array, AB mag
        Depth.

    Raises
    ------
    InputError
        If `snr` is not positive.

    Examples
    --------
    >>> one = np.ones(1)
    >>> depth = limiting_magnitude(28.3 * one, 20.7 * one, 2.0 * one, pixel_arcsec=1.012,
    ...                            pixel_variance=100.0)
    >>> depth.round(2)
    array([21.48])
    """
    if snr <= 0:
        raise InputError(f"limiting_magnitude: snr must be positive, got {snr}")
    sky = 10.0 ** (0.4 * (zp - sky_mag))
    background = noise_factor**2 * noise_area(fwhm) * (sky + pixel_variance / pixel_arcsec**2)
    flux = 0.5 * (snr**2 + np.sqrt(snr**4 + 4.0 * snr**2 * background))
    return zp - 2.5 * np.log10(flux)
