"""Cosmic rays and satellite tracks: numbers, charge, places."""

import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.instrument.camera_files import load_camera
from chandelle.simulate.frames.strikes import (
    CosmicRays,
    CosmicRaySettings,
    SatelliteTracks,
    add_cosmic_rays,
    add_tracks,
    draw_cosmic_rays,
    draw_tracks,
)

KEY = key_for(1, "strikes")
SETTINGS = CosmicRaySettings()
CAMERA = load_camera("ztf").subset([6], size=400)


def test_cosmic_rays_are_as_many_and_leave_as_much_as_physics_says():
    area_cm2 = 1000 * 2000 * (15e-4) ** 2
    rays = draw_cosmic_rays((1000, 2000), SETTINGS, exptime_s=40_000.0, key=KEY)
    n, expected = len(rays.x), 0.025 * area_cm2 * 40_000.0
    assert n == pytest.approx(expected, abs=5 * np.sqrt(expected))
    assert -0.5 <= rays.x.min() < rays.x.max() <= 1999.5
    assert 999.5 >= rays.y.max() > rays.y.min() >= -0.5
    depth = 16.0 / 15.0
    path = np.hypot(np.hypot(rays.dx, rays.dy), depth)
    cosine = depth / path
    # Those that cross a flat sensor follow 4 c^3: mean 4/5, variance 2/75.
    assert cosine.mean() == pytest.approx(0.8, abs=5 * np.sqrt(2 / 75 / n))
    per_um = rays.electrons / (15.0 * path)
    # The mean of Moyal's law is Euler's constant + ln 2, its variance pi^2 / 2.
    mean = 80.0 * (1.0 + 0.15 * (np.euler_gamma + np.log(2.0)))
    assert per_um.mean() == pytest.approx(mean, abs=5 * 80 * 0.15 * np.pi / np.sqrt(2 * n))
    assert per_um.min() > 0.0
    assert len(draw_cosmic_rays((10, 10), SETTINGS, exptime_s=0.0, key=KEY).x) == 0


def test_the_charge_of_a_ray_lies_along_it():
    one = np.ones(1)
    rays = CosmicRays(x=20 * one, y=30 * one, dx=40 * one, dy=10 * one, electrons=1e5 * one)
    pixels = np.zeros((80, 100), np.float32)
    add_cosmic_rays(pixels, rays, SETTINGS, key=KEY)
    assert pixels.sum(dtype=np.float64) == pytest.approx(1e5, rel=1e-5)
    row, column = np.nonzero(pixels)
    away = np.abs((row - 30) * 4 - (column - 20)) / np.sqrt(17)
    assert away.max() < 2.5
    profile = pixels.sum(axis=0)[22:58]
    assert profile.mean() == pytest.approx(1e5 / 40, rel=0.02)
    outside = np.zeros((25, 100), np.float32)
    add_cosmic_rays(outside, rays, SETTINGS, key=KEY)
    assert outside.sum() == 0.0


def test_no_ray_adds_nothing():
    pixels, empty = np.zeros((5, 5), np.float32), np.zeros(0)
    add_cosmic_rays(pixels, CosmicRays(*[empty] * 5), SETTINGS, key=KEY)
    assert pixels.sum() == 0.0


@pytest.mark.parametrize("angle_deg", [0.0, 20.0, 45.0, 100.0, 170.0, 265.0])
def test_a_track_is_where_its_line_is_and_as_bright_as_it_says(angle_deg):
    ccd = CAMERA.ccds[0]
    angle = np.radians(angle_deg)
    offset = ccd.xi * np.cos(angle) + ccd.eta * np.sin(angle) + 0.01  # near the center of the CCD
    tracks = SatelliteTracks(*(np.array([value]) for value in (angle_deg, offset, 5e3, 0.5)))
    whole = np.zeros((ccd.n_rows, ccd.n_columns), np.float32)
    for quadrant in ccd.quadrants:
        light = np.zeros((quadrant.n_rows, quadrant.n_columns), np.float32)
        add_tracks(light, ccd, quadrant, tracks, fwhm_pixels=2.0)
        rows = slice(quadrant.y0, quadrant.y0 + quadrant.n_rows)
        whole[rows, quadrant.x0 : quadrant.x0 + quadrant.n_columns] = light
    y, x = np.indices(whole.shape, dtype=float)
    xi, eta = ccd.to_focal_plane(x, y)
    away = (xi * np.cos(angle) + eta * np.sin(angle) - offset) * 3600.0
    along = (eta - ccd.eta) * 3600 * np.cos(angle) - (xi - ccd.xi) * 3600 * np.sin(angle)
    piece = np.abs(along) < 300.0
    # Whole pixels fall in or out of the ends of the piece: 600 arcsec to one pixel.
    assert whole[piece].sum(dtype=float) / 600.0 == pytest.approx(5e3, rel=2.5e-3)
    assert np.average(away, weights=whole) == pytest.approx(0.0, abs=0.01)
    sigma = np.sqrt((2.0 * 1.012) ** 2 + 0.5**2) / 2.3548
    expected = np.hypot(sigma, 1.012 / np.sqrt(12))
    assert np.sqrt(np.average(away**2, weights=whole)) == pytest.approx(expected, rel=0.005)


def test_tracks_are_drawn_once_for_all_quadrants():
    drawn = [draw_tracks(f"e{i}", CAMERA, seed=1, rate=2.0) for i in range(300)]
    number = np.array([len(each.offset_deg) for each in drawn])
    assert number.mean() == pytest.approx(2.0, abs=5 * np.sqrt(2.0 / 300))
    radius = CAMERA.radius_deg
    offset, light = (np.concatenate([each[i] for each in drawn]) for i in (1, 2))
    assert 0.0 <= offset.min() < offset.max() < radius
    assert light.min() > 300.0
    assert light.max() < 3e4
    again = draw_tracks("e7", CAMERA, seed=1, rate=2.0)
    for one, other in zip(again, drawn[7], strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="tracks expect"):
        draw_tracks("e", CAMERA, seed=1, rate=-1.0)
