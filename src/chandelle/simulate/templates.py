"""Light curves of supernovae that SALT does not know, from a spectral time series of the user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from chandelle.core.errors import InputError
from chandelle.core.units import AB_JY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.dust import extinction
from chandelle.physics.photometry import ab_bandflux, band_samples
from chandelle.products.passband import Passband

Floats = NDArray[np.float64]
PEAK_BAND = "bessellr"
"""Rest-frame passband (AB) of the peak magnitudes of core-collapse supernovae."""
_SPACING = 0.1
"""Days between the phases among which the maximum is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeSeries:
    """Spectra over phases, cubic between them.

    Attributes
    ----------
    name : str
        In messages.
    phase : array, shape (phase,), d
        Rest frame, from the t0 of a supernova.
    wave : array, shape (wave,), angstrom
        Rest frame.
    spline : RectBivariateSpline
        F_lambda of phase and wavelength, up to a factor.
    peak : float, AB mag
        Of F_lambda in erg/s/cm2/angstrom at maximum in the passband `PEAK_BAND`.
    """

    name: str
    phase: Floats
    wave: Floats
    spline: RectBivariateSpline
    peak: float


def read_time_series(path: str | Path) -> TimeSeries:
    """Read a template in the layout of sncosmo's TimeSeriesSource: lines of phase, wave, flux.

    Parameters
    ----------
    path : str or Path
        Text of three columns: days, angstrom, F_lambda in any unit. Every phase has the same
        wavelengths; both rise.

    Returns
    -------
    TimeSeries
        With its maximum found.

    Raises
    ------
    InputError
        If there is no such file, it is no such table, it has fewer than four phases or
        wavelengths, or does not cover the passband of the peak magnitudes.
    """
    path = Path(path)
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a text file of phase, wave, flux; {error}") from error
    if table.shape[1] != 3 or not np.isfinite(table).all():
        raise InputError(
            f"{path}: expected three columns of numbers, phase [d], wave [angstrom] and flux, got "
            f"{table.shape[1]}, or one that is not finite"
        )
    phase, wave = np.unique(table[:, 0]), np.unique(table[:, 1])
    is_grid = len(table) == len(phase) * len(wave) and min(len(phase), len(wave)) > 3
    if not is_grid or not np.array_equal(
        table[:, :2], np.column_stack([np.repeat(phase, len(wave)), np.tile(wave, len(phase))])
    ):
        raise InputError(
            f"{path}: expected the same rising wavelengths at each rising phase, four of both at "
            f"least, got {len(table)} lines of {len(phase)} phases and {len(wave)} wavelengths"
        )
    spline = RectBivariateSpline(phase, wave, table[:, 2].reshape(len(phase), len(wave)))
    passband = load_passband(PEAK_BAND)
    samples = band_samples(passband)
    if samples.wave.min() < wave[0] or samples.wave.max() > wave[-1]:
        raise InputError(
            f"{path}: covers {wave[0]:g} to {wave[-1]:g} angstrom, not {PEAK_BAND}, in which peak "
            "magnitudes are meant; give a template that does"
        )
    near = np.arange(phase[0], phase[-1], _SPACING)
    flux = spline(near, np.asarray(samples.wave, dtype=float), grid=True) @ samples.weight
    if flux.max() <= 0.0:
        raise InputError(f"{path}: no flux in {PEAK_BAND}; give a template that has")
    peak = -2.5 * np.log10(flux.max() / ab_bandflux(passband))
    return TimeSeries(name=str(path), phase=phase, wave=wave, spline=spline, peak=float(peak))


def template_fluxes(
    series: TimeSeries,
    passbands: Sequence[Passband],
    *,
    z: float,
    t0: float,
    peak_mag: float,
    mwebv: float,
    mjd: Floats,
    band: NDArray[np.int64],
) -> Floats:
    r"""Noiseless band fluxes of one supernova of a template.

    .. math:: F_\lambda(\lambda, t) = \frac{A}{1 + z}\,
        S\!\left(\frac{t - t_0}{1 + z}, \frac{\lambda}{1 + z}\right) 10^{-0.4 A_\lambda}

    with the dust of the Milky Way in A_lambda, and A such that S, unredshifted, has the peak
    magnitude in `PEAK_BAND`.

    Parameters
    ----------
    series : TimeSeries
        The template.
    passbands : sequence of Passband
        What `band` counts.
    z, t0, peak_mag, mwebv : float
        Redshift, MJD of phase 0, apparent peak magnitude (AB), E(B-V) of the Milky Way.
    mjd : array, shape (obs,), d
        Epochs.
    band : array, shape (obs,)
        Passband of each.

    Returns
    -------
    array, shape (obs,), nJy
        Zero outside the phases of the template, and in passbands that it does not cover.
    """
    phase, flux = (mjd - t0) / (1.0 + z), np.zeros(len(mjd))
    is_inside = (phase >= series.phase[0]) & (phase <= series.phase[-1])
    scale = 10.0 ** (-0.4 * (peak_mag - series.peak)) / (1.0 + z)
    for number in np.unique(band):
        rows = np.flatnonzero((band == number) & is_inside)
        passband = passbands[number]
        samples = band_samples(passband)
        wave = np.asarray(samples.wave, dtype=float)
        rest = wave / (1.0 + z)
        if not len(rows) or rest.min() < series.wave[0] or rest.max() > series.wave[-1]:
            continue
        dust = 10.0 ** (-0.4 * np.asarray(extinction(jnp.asarray(wave), ebv=mwebv)))
        weight = samples.weight * dust * AB_JY * 1e9 / ab_bandflux(passband)
        times, back = np.unique(phase[rows], return_inverse=True)
        flux[rows] = scale * (series.spline(times, rest, grid=True) @ weight)[back]
    return flux


def read_templates(paths: Mapping[str, str]) -> dict[str, TimeSeries]:
    """Read the template of each class."""
    return {kind: read_time_series(path) for kind, path in paths.items()}
