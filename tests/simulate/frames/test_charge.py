"""Charge before it is read: photon noise, brighter-fatter, bleeding, bad pixels."""

import galsim
import jax
import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.simulate.frames.charge import (
    bleed,
    place_dead_columns,
    place_hot_pixels,
    push_charge,
)
from chandelle.simulate.frames.deviates import add_normal, draw_poisson

KEY = key_for(1, "charge")


@pytest.mark.parametrize("mean", [0.0, 3.0, 900.0])
def test_photons_follow_poisson(mean):
    pixels = np.full((700, 700), mean, np.float32)
    draw_poisson(pixels, KEY)
    n = pixels.size
    assert abs(pixels.mean() - mean) <= 5.0 * np.sqrt(mean / n)
    assert pixels.var() == pytest.approx(mean, rel=5.0 * np.sqrt(2.0 / n) + 2e-3)
    np.testing.assert_array_equal(pixels, np.rint(pixels))


def test_drawing_goes_on_from_step_to_step():
    # 490 000 pixels are two steps: no noise twice.
    noise = np.zeros((700, 700), np.float32)
    add_normal(noise, 2.0, KEY)
    flat = noise.ravel()
    assert np.unique(flat).size > 0.95 * flat.size
    assert noise.std() == pytest.approx(2.0, rel=5.0 / np.sqrt(2.0 * noise.size))
    with pytest.raises(InputError, match="row after row"):
        add_normal(noise[:, ::2], 2.0, KEY)


def test_brighter_flats_are_smoother_by_the_deficit_asked_for():
    mean, deficit = 50_000.0, 1e-6
    flat = np.full((1000, 1000), mean, np.float32)
    draw_poisson(flat, KEY)
    total = flat.sum(dtype=np.float64)
    push_charge(flat, deficit=deficit, full_well=3e5)
    assert flat.sum(dtype=np.float64) == pytest.approx(total, rel=1e-9)
    k = deficit * mean / 8.0
    assert flat.var() / mean == pytest.approx((1 - 4 * k) ** 2 + 4 * k**2, rel=5 * np.sqrt(2e-6))
    rest = flat - mean
    beside = np.mean(rest[:, 1:] * rest[:, :-1]) / mean
    below = np.mean(rest[1:] * rest[:-1]) / mean
    np.testing.assert_allclose([beside, below], 2 * k * (1 - 4 * k), atol=5e-3)
    # What the variance loses the neighbors have: large blocks keep Poisson's noise.
    blocks = flat.reshape(100, 10, 100, 10).sum(axis=(1, 3), dtype=np.float64)
    assert blocks.var() / (100 * mean) == pytest.approx(1.0, abs=5 * np.sqrt(2e-4) + 0.01)


def test_brighter_stars_are_fatter():
    def sigma(flux, deficit):
        profile = galsim.Moffat(beta=3.5, fwhm=2.2, flux=flux)
        star = profile.drawImage(nx=41, ny=41, scale=1.0, dtype=np.float64)
        pixels = star.array + 100.0
        total = pixels.sum()
        push_charge(pixels, deficit=deficit, full_well=3e5)
        assert pixels.sum() == pytest.approx(total, rel=1e-14)
        assert np.all(pixels > 0.0)
        return galsim.hsm.FindAdaptiveMom(galsim.Image(pixels - 100.0)).moments_sigma

    faint, bright = (sigma(flux, 2e-6) / sigma(flux, 0.0) - 1.0 for flux in (1e4, 1e6))
    assert bright > 0.005
    assert 0.0 < faint < bright / 50.0


def test_a_push_that_would_empty_pixels_is_refused():
    with pytest.raises(InputError, match="brighter_fatter"):
        push_charge(np.zeros((3, 3), np.float32), deficit=1e-3, full_well=3e5)


def test_bleeding_runs_along_the_column_and_keeps_the_charge():
    electrons = np.full((400, 6), 1000.0, np.float32)
    electrons[200, 2] = 3.001e6
    before = electrons.sum(dtype=np.float64)
    assert bleed(electrons, full_well=1e5) == 0.0
    assert electrons.sum(dtype=np.float64) == pytest.approx(before, rel=1e-9)
    full = np.flatnonzero(electrons[:, 2] >= 0.999e5)
    # 2.901e6 electrons find 99 000 free in each pixel, half of them on each side.
    np.testing.assert_array_equal(full, np.arange(200 - 14, 200 + 15))
    assert np.all(np.delete(electrons, 2, axis=1) == 1000.0)


def test_bleeding_of_many_stars_ends_at_the_edge():
    rng = np.random.default_rng(2)
    electrons = rng.uniform(0, 100, (300, 50)).astype(np.float32)
    electrons[rng.integers(0, 300, 120), rng.integers(0, 50, 120)] = 2e6
    electrons[1, 7] = 1e6
    before = electrons.sum(dtype=np.float64)
    lost = bleed(electrons, full_well=1e5)
    assert lost > 0.0
    assert electrons.max() <= 1e5
    assert electrons.sum(dtype=np.float64) + lost == pytest.approx(before, rel=1e-8)


def test_bad_pixels_are_as_many_as_asked_for():
    row, column, current = place_hot_pixels((1000, 2000), fraction=1e-3, current=50.0, key=KEY)
    assert len(row) == pytest.approx(2000, abs=5 * np.sqrt(2000))
    assert row.max() < 1000 <= column.max() < 2000
    assert current.mean() == pytest.approx(50.0, rel=5 / np.sqrt(2000))
    numbers = [
        len(place_dead_columns(3000, mean=2.0, key=key)) for key in jax.random.split(KEY, 200)
    ]
    assert np.mean(numbers) == pytest.approx(2.0, abs=5 * np.sqrt(2.0 / 200))
    again, _, _ = place_hot_pixels((1000, 2000), fraction=1e-3, current=50.0, key=KEY)
    np.testing.assert_array_equal(row, again)
