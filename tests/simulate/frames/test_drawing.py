"""Drawn sources: moments and light against GalSim's own drawing of the whole profile."""

import galsim
import numpy as np
import pytest
from made_skies import SILENT, exposures_at, frames_made_by, maker_of, mosaic, sky_of, stars_at

from chandelle.core.errors import InputError
from chandelle.instrument.camera_files import load_camera
from chandelle.simulate.frames.drawing import Galaxy, blank, draw_sources
from chandelle.simulate.frames.optics import PsfField, PsfSettings

EXACT = galsim.GSParams(
    folding_threshold=1e-4, kvalue_accuracy=1e-6, maxk_threshold=1e-4, maximum_fft_size=16384
)
WIDTHS = [1.8, 2.2, 3.0]
PIXEL = 0.68502
"""What the pixel adds to the square of the width of a Moffat profile of exponent 3.5."""


def field(fwhm, **settings):
    return PsfField(fwhm=fwhm, guiding=(0.0, 0.0), settings=PsfSettings(**settings), radius=3.6)


def drawn(psf, x, y, flux, *, size=101, g=(0.0, 0.0), galaxy=None):
    image = blank(size, size)
    shape = tuple(np.array([value]) for value in (psf.fwhm, *g))
    at = np.array([float(x)]), np.array([float(y)]), np.array([float(flux)])
    draw_sources(image, psf, x=at[0], y=at[1], flux=at[2], shape=shape, galaxies=[galaxy])
    return image


def whole(psf, x, y, flux, *, size=101, g=(0.0, 0.0), shape=None):
    """The same by GalSim in one: Moffat core and wing under the pixel, to the edges."""
    s = psf.settings
    width = np.sqrt(psf.fwhm**2 - PIXEL)
    core = galsim.Moffat(beta=s.beta, fwhm=width, flux=1 - s.wing, gsparams=EXACT).shear(
        g1=g[0], g2=g[1]
    )
    if shape is not None:
        core = galsim.Convolve(shape, core)
    wing = galsim.Moffat(beta=2.0, fwhm=s.wing_width * psf.fwhm, flux=s.wing)
    both = [
        part.withFlux(part.flux * flux).drawImage(
            bounds=galsim.BoundsI(0, size - 1, 0, size - 1),
            center=galsim.PositionD(x, y),
            scale=1.0,
            dtype=float,
            method=method,
        )
        for part, method in ((core, "fft"), (wing, "auto"))
    ]
    return both[0] + both[1]


@pytest.mark.parametrize("fwhm", WIDTHS)
@pytest.mark.parametrize("g", [(0.0, 0.0), (0.05, -0.03), (-0.1, 0.1)])
def test_adaptive_moments_are_those_of_the_whole_profile(fwhm, g):
    psf = field(fwhm)
    ours = drawn(psf, 50.3, 49.8, 1e6, g=g).FindAdaptiveMom()
    theirs = whole(psf, 50.3, 49.8, 1e6, g=g).FindAdaptiveMom()
    assert ours.moments_sigma == pytest.approx(theirs.moments_sigma, rel=1e-3)
    assert ours.observed_shape.g1 == pytest.approx(theirs.observed_shape.g1, abs=1e-3)
    assert ours.observed_shape.g2 == pytest.approx(theirs.observed_shape.g2, abs=1e-3)
    assert ours.moments_amp == pytest.approx(theirs.moments_amp, rel=1e-3)


@pytest.mark.parametrize("fwhm", WIDTHS)
def test_pixels_are_those_of_the_whole_profile(fwhm):
    psf, g = field(fwhm), (0.05, 0.02)
    ours = drawn(psf, 50.3, 49.8, 1e6, g=g).array
    theirs = whole(psf, 50.3, 49.8, 1e6, g=g).array
    np.testing.assert_allclose(ours, theirs, atol=5e-4 * theirs.max())
    # Far out, where a wing is all there is.
    y, x = np.indices(ours.shape)
    far = np.hypot(x - 50.3, y - 49.8) > 10 * fwhm
    assert ours[far].sum() == pytest.approx(theirs[far].sum(), rel=0.05)


@pytest.mark.parametrize("beta", [2.5, 3.5, 5.0])
@pytest.mark.parametrize("fwhm", WIDTHS)
def test_width_at_half_maximum_under_the_pixel_is_the_one_asked_for(fwhm, beta):
    core = field(fwhm, wing=0.0, beta=beta).core(fwhm, 0.0, 0.0)
    fine = galsim.Convolve(core, galsim.Pixel(1.0))
    image = fine.drawImage(nx=401, ny=401, scale=0.02, method="no_pixel").array[200:, 200:]
    for line, step in ((image[0], 0.02), (image.diagonal(), 0.02 * np.sqrt(2))):
        half = step * np.interp(-0.5 * line[0], -line, np.arange(len(line)))
        assert 2.0 * half == pytest.approx(fwhm, rel=0.01)


def test_width_and_shape_over_the_field_follow_what_is_stated():
    psf = PsfField(
        fwhm=2.5,
        guiding=(0.01, -0.02),
        settings=PsfSettings(wing=0.0, defocus=0.2, astigmatism=0.05),
        radius=4.0,
    )
    xi, eta = np.array([0.0, 3.0, 0.0, -2.0, 2.8]), np.array([0.0, 0.0, 3.5, 2.0, 2.8])
    fwhm, g1, g2 = psf.shape(xi, eta)
    rho2 = (xi**2 + eta**2) / 16.0
    turn = 2.0 * np.arctan2(eta, xi)
    np.testing.assert_allclose(fwhm, 2.5 * (1.0 + 0.2 * rho2))
    np.testing.assert_allclose(g1, 0.01 + 0.05 * rho2 * np.cos(turn), atol=1e-12)
    np.testing.assert_allclose(g2, -0.02 + 0.05 * rho2 * np.sin(turn), atol=1e-12)
    image = blank(60, 300)
    x = 30.0 + 60.0 * np.arange(5)
    same = np.full(5, 30.0)
    draw_sources(
        image, psf, x=x, y=same, flux=0 * x + 1e6, shape=(fwhm, g1, g2), galaxies=[None] * 5
    )
    for k in range(5):
        cut = galsim.BoundsI(int(x[k]) - 25, int(x[k]) + 25, 5, 55)
        found = image[cut].FindAdaptiveMom(guess_centroid=galsim.PositionD(x[k], 30.0))
        wide = galsim.Moffat(beta=3.5, fwhm=np.sqrt(fwhm[k] ** 2 - PIXEL))
        true = wide.shear(g1=g1[k], g2=g2[k]).drawImage(nx=51, ny=51, scale=1.0)
        true = true.FindAdaptiveMom()
        assert found.moments_sigma == pytest.approx(true.moments_sigma, rel=0.01)
        assert found.observed_shape.g1 == pytest.approx(true.observed_shape.g1, abs=5e-4)
        assert found.observed_shape.g2 == pytest.approx(true.observed_shape.g2, abs=5e-4)
        # The pixel makes it a little rounder.
        assert found.observed_shape.g == pytest.approx(np.hypot(g1[k], g2[k]), rel=0.12)


def test_guiding_scatters_from_exposure_to_exposure():
    camera, settings = load_camera("ztf"), PsfSettings(guiding=0.03)
    some = [
        PsfField.draw(camera, settings, fwhm=2.0, exposure=f"e{k}", seed=1).guiding
        for k in range(40)
    ]
    assert np.std(some) == pytest.approx(0.03, rel=5 / np.sqrt(2 * 80))
    again = PsfField.draw(camera, settings, fwhm=2.0, exposure="e7", seed=1)
    assert again.guiding == some[7]
    corner = np.hypot(*camera.corners().reshape(-1, 2).T).max()
    assert again.radius == pytest.approx(corner)


@pytest.mark.parametrize("fwhm", WIDTHS)
@pytest.mark.parametrize("flux", [1e4, 1e5, 1e7])
def test_light_of_a_star_is_its_flux_but_for_the_faint_end_of_its_wing(fwhm, flux):
    image = drawn(field(fwhm), 500.2, 500.7, flux, size=1001)
    total = image.array.sum(dtype=float) / flux
    # Light fainter than 0.01 electron a pixel is not drawn: that of a wing beyond its reach.
    assert total == pytest.approx(1.0, abs=1e-3 if flux > 1e5 else 5e-3)
    image = drawn(field(fwhm, wing=0.0), 500.2, 500.7, flux, size=1001)
    assert image.array.sum(dtype=float) / flux == pytest.approx(1.0, abs=1e-3)


def test_places_are_right_to_a_hundredth_of_a_pixel():
    psf = field(2.2)
    row, column = np.indices((64, 64))
    for dx, dy in np.random.default_rng(5).uniform(-0.5, 0.5, (12, 2)):
        image = drawn(psf, 30 + dx, 31 + dy, 1e5, size=64)
        found = image.FindAdaptiveMom().moments_centroid
        assert found.x == pytest.approx(30 + dx, abs=0.01)
        assert found.y == pytest.approx(31 + dy, abs=0.01)
        # Without a weight, which a sharp star does not suit.
        sharp = field(1.2)
        ours = drawn(sharp, 30 + dx, 31 + dy, 1e5, size=64).array[25:37, 24:36]
        theirs = whole(sharp, 30 + dx, 31 + dy, 1e5, size=64).array[25:37, 24:36]
        for axis in (row[25:37, 24:36], column[25:37, 24:36]):
            there = (theirs * axis).sum() / theirs.sum()
            assert (ours * axis).sum() / ours.sum() == pytest.approx(there, abs=0.003)


def test_light_of_a_star_off_the_image_reaches_it_and_stars_add():
    psf = field(2.0)
    wide = drawn(psf, 60.0, 50.0, 1e6, size=101).array
    off = drawn(psf, 60.0 - 70.0, 50.0, 1e6, size=101).array
    np.testing.assert_allclose(off[:, :31], wide[:, 70:], atol=1e-2)
    image = blank(101, 101)
    two = np.array([60.0, -10.0])
    same = np.full(2, 50.0)
    shape = np.full(2, 2.0), np.zeros(2), np.zeros(2)
    draw_sources(
        image, psf, x=two, y=same, flux=np.full(2, 1e6), shape=shape, galaxies=[None, None]
    )
    np.testing.assert_allclose(image.array, wide + off, atol=1e-2)


def test_nothing_is_drawn_of_what_has_no_light():
    for flux in (0.0, -5.0):
        assert not drawn(field(2.0), 50.0, 50.0, flux).array.any()
    with pytest.raises(InputError, match="flux of source 0 is nan"):
        drawn(field(2.0), 50.0, 50.0, np.nan)


def test_a_bright_star_on_a_dark_sky_is_read_out():
    dark = exposures_at([240.0], [40.0], sky_mag=np.array([45.0]), seeing_arcsec=np.array([1.2]))
    sky = sky_of(dark, stars=stars_at([240.0], [40.0], 9.0))
    maker = maker_of(sky, size=64, detector=SILENT, psf={"wing": 0.0})
    (frame,) = frames_made_by(maker)
    exposed = maker.expose(frame, 6)
    assert mosaic(exposed, maker.camera.ccd(6)).max() > 50_000.0


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_a_galaxy_is_bulge_and_disk_under_the_core(fraction):
    galaxy = Galaxy(
        bulge_fraction=fraction,
        bulge_radius=1.5,
        disk_radius=4.0,
        bulge_axis_ratio=0.8,
        disk_axis_ratio=0.4,
        angle=0.7,
    )
    psf, flux = field(2.0), 1e5
    ours = drawn(psf, 100.4, 99.9, flux, size=201, galaxy=galaxy)
    # Sersic profiles by their index, turned after they are stretched.
    parts = [
        (fraction, 4.0, 1.5, 0.8),
        (1.0 - fraction, 1.0, 4.0, 0.4),
    ]
    model = galsim.Sum(
        [
            weight
            * galsim.Sersic(n=n, half_light_radius=radius, gsparams=EXACT)
            .transform(q**-0.5, 0.0, 0.0, q**0.5)
            .rotate(0.7 * galsim.radians)
            for weight, n, radius, q in parts
            if weight > 0.0
        ]
    )
    theirs = whole(psf, 100.4, 99.9, flux, size=201, shape=model)
    np.testing.assert_allclose(ours.array, theirs.array, atol=3e-3 * theirs.array.max())
    mine, other = ours.FindAdaptiveMom(), theirs.FindAdaptiveMom()
    assert mine.moments_sigma == pytest.approx(other.moments_sigma, rel=0.01)
    assert mine.observed_shape.g1 == pytest.approx(other.observed_shape.g1, abs=0.005)
    assert mine.observed_shape.g2 == pytest.approx(other.observed_shape.g2, abs=0.005)
    assert ours.array.sum(dtype=float) == pytest.approx(flux, rel=0.01)
