"""Stars of frames as an outsider measures them: apertures of sep, profiles of GalSim."""

import galsim
import numpy as np
import pytest
import sep
from made_skies import (
    PLAIN,
    SILENT,
    exposures_at,
    frames_made_by,
    maker_of,
    mosaic,
    sky_of,
    stars_at,
)

from chandelle.simulate.frames.optics import PsfField

BETA, WING, WIDE = 3.5, 0.03, 5.0
PIXEL = 0.685
"""What the pixel adds to the square of the width for that BETA."""


def grid_of_stars(pointing, step, *, size, mag):
    """Stars some pixels of 1.012 arcsec apart about a pointing, each off the grid by a part of one.

    Around the whole field, so that the borders are as full as the middle.
    """
    side = np.arange(-size / 2 + step / 2, size / 2, step)
    x, y = (part.ravel() for part in np.meshgrid(side, side))
    off = np.random.default_rng(4).uniform(-0.5, 0.5, (2, len(x)))
    away = np.radians((np.stack([x, y]) + off) * 1.012 / 3600.0)
    # From the tangent plane back to the sky, by the axes of the pointing.
    ra0, dec0 = np.radians(pointing)
    to = np.array([np.cos(dec0) * np.cos(ra0), np.cos(dec0) * np.sin(ra0), np.sin(dec0)])
    east = np.array([-np.sin(ra0), np.cos(ra0), 0.0])
    north = np.cross(to, east)
    where = to[:, None] + away[0] * east[:, None] + away[1] * north[:, None]
    ra = np.degrees(np.arctan2(where[1], where[0])) % 360.0
    return stars_at(ra, np.degrees(np.arctan2(where[2], np.hypot(where[0], where[1]))), mag)


def part_inside(radius, fwhm):
    """Part of the light in an aperture about the middle, by GalSim, at widths in pixels."""
    widths = np.linspace(fwhm.min(), fwhm.max(), 3)
    found = []
    for width in widths:
        core = galsim.Moffat(beta=BETA, fwhm=np.sqrt(width**2 - PIXEL))
        core = galsim.Convolve((1.0 - WING) * core, galsim.Pixel(1.0))
        wide = WING * galsim.Moffat(beta=2.0, fwhm=WIDE * width)
        fine = (core + wide).drawImage(nx=501, ny=501, scale=0.1, method="no_pixel").array
        total, _, _ = sep.sum_circle(fine.astype(float), [250.0], [250.0], 10 * radius, subpix=0)
        found.append(float(total[0]))
    return np.interp(fwhm, widths, found)


def measured(maker, frame, radius):
    """Aperture fluxes with their truth and their expected errors, detrended by the truth."""
    exposed, ccd = maker.expose(frame, 6), maker.camera.ccd(6)
    gain = np.ones((ccd.n_rows, ccd.n_columns))
    noise = np.zeros_like(gain)
    origin = {}
    for quadrant in ccd.quadrants:
        rows = slice(quadrant.y0, quadrant.y0 + quadrant.n_rows)
        part = rows, slice(quadrant.x0, quadrant.x0 + quadrant.n_columns)
        gain[part] = quadrant.gain
        noise[part] = quadrant.read_noise**2 + quadrant.gain**2 / 12.0
        origin[quadrant.rcid] = quadrant.x0, quadrant.y0
    through = maker.transmission(6, "ztfr").astype(float)
    (sky,) = set(exposed.truth.units["light"])
    light = (mosaic(exposed, ccd) * gain - 30.0) / through - sky
    truth = exposed.truth.sources
    x0, y0 = np.array([origin[rcid] for rcid in truth["rcid"]]).T
    x, y = truth["x"] + x0, truth["y"] + y0
    inner = (np.minimum(x, y) > 15) & (np.maximum(x, y) < ccd.n_rows - 15)
    x, y, flux = x[inner], y[inner], truth["flux"][inner]
    found, _, _ = sep.sum_circle(light, x, y, radius, subpix=0)
    variance = sep.sum_circle((sky * through + 30.0 + noise) / through**2, x, y, radius, subpix=0)
    variance = variance[0] + flux / through[y.round().astype(int), x.round().astype(int)]
    fwhm, _, _ = psf_of(maker, frame).shape(*ccd.to_focal_plane(x, y))
    return found, flux, np.sqrt(variance), fwhm


def corrected(maker, frames, radius):
    """Fluxes of many frames, true ones, and errors, in equal apertures."""
    found, flux, error, fwhm = np.concatenate(
        [measured(maker, frame, radius) for frame in frames], axis=1
    )
    inside = part_inside(radius, fwhm)
    return found / inside, flux, error / inside


def psf_of(maker, frame):
    fwhm = maker.rows[frame.row]["seeing_arcsec"] / 1.012
    return PsfField.draw(
        maker.camera, maker.settings.psf, fwhm=fwhm, exposure=frame.name, seed=maker.seed
    )


def frames_of_stars(n, step, *, mag, detector):
    """Frames of 1024 x 1024 with the transmission of the default, the sky of one level."""
    pointing = np.array([240.0, 40.0])
    exposures = exposures_at(np.full(n, 240.0), np.full(n, 40.0))
    stars = grid_of_stars(pointing, step, size=1020, mag=mag)
    maker = maker_of(
        sky_of(exposures, stars=stars),
        size=512,
        throughput={"sky_gradient": 0.0, "distortion": 0.0},
        detector=detector,
    )
    return maker, frames_made_by(maker)


@pytest.mark.parametrize(
    "n_frames", [2, pytest.param(15, marks=pytest.mark.slow)], ids=["quick", "ten thousand"]
)
def test_stars_by_aperture_are_the_truth_within_their_noise(n_frames):
    maker, frames = frames_of_stars(n_frames, 38, mag=17.25, detector=PLAIN)
    found, flux, error = corrected(maker, frames, 7.0)
    n = len(flux)
    assert n >= 10_000 * n_frames / 15
    pull = (found - flux) / error
    assert abs(pull.mean()) < 5.0 / np.sqrt(n)
    assert pull.std() == pytest.approx(1.0, abs=5.0 / np.sqrt(2 * n))
    assert found.sum() / flux.sum() == pytest.approx(1.0, abs=1e-3 if n_frames > 2 else 2e-3)


def test_without_noise_a_star_has_its_flux_to_the_per_mille():
    maker, frames = frames_of_stars(1, 127, mag=14.75, detector=SILENT)
    found, flux, _ = corrected(maker, frames, 12.0)
    assert len(flux) > 50
    np.testing.assert_allclose(found / flux, 1.0, atol=1e-3)
    assert np.mean(found / flux) == pytest.approx(1.0, abs=3e-4)
    # Clouds and colors apart, the zero point of the log is that of the frame.
    np.testing.assert_allclose(flux, 10 ** (0.4 * (28.0 - 14.75)), rtol=1e-6)
