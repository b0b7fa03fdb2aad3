"""The bias: what production takes out of it, with the overscan and with a master bias."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from chandelle.core.rng import key_for
from chandelle.instrument.camera_files import load_camera
from chandelle.instrument.orders import reorder
from chandelle.simulate.frames.bias import BiasSettings, bias_along_rows, bias_of_columns
from chandelle.simulate.frames.detector import DetectorSettings, read_out

KEY = key_for(1, "bias")
QUADRANT = replace(load_camera("ztf").quadrant(5), n_rows=600, n_columns=150)
FIXED = {"seed": 3, "night": 58849}


def along_rows(settings, **changes):
    values = {"night": 58849, "frame": "a"} | changes
    return bias_along_rows(QUADRANT, settings, key=KEY, **values)


def test_amplitudes_are_those_asked_for():
    settings = BiasSettings(night_fraction=0.0)
    many = replace(QUADRANT, n_columns=20_000)
    columns = bias_of_columns(many, settings, key=KEY, night=1)
    assert columns.std() == pytest.approx(2.0, rel=5 / np.sqrt(2 * 20_000))
    shapes = np.array(
        [
            bias_along_rows(QUADRANT, settings, key=key, night=1, frame="a")
            for key in jax.random.split(KEY, 300)
        ]
    )
    assert shapes.mean() == pytest.approx(QUADRANT.bias_dn, abs=0.2)
    # Slopes of 2 DN for each Legendre polynomial l have a mean square of 4 / (2 l + 1).
    expected = 0.5**2 + 4 / 3 + 4 / 5 + 4 / 7
    assert shapes.var() == pytest.approx(expected, rel=0.25)


def test_nights_differ_a_little_and_frames_in_their_level_alone():
    settings = BiasSettings()
    first, second = (bias_of_columns(QUADRANT, settings, key=KEY, night=n) for n in (1, 2))
    assert 0.2 < (first - second).std() < 1.0
    assert np.corrcoef(first, second)[0, 1] > 0.9
    change = along_rows(settings, frame="b") - along_rows(settings)
    assert np.ptp(change) < 1e-3
    assert 0.0 < abs(change[0]) < 3.0
    assert np.ptp(along_rows(settings, night=58850) - along_rows(settings)) > 0.05


def test_the_level_settles_over_the_first_frames_of_a_series():
    settings = BiasSettings(frame_dn=0.0)
    settled = along_rows(settings)
    excess = [float((along_rows(settings, place_in_series=i) - settled)[0]) for i in range(15)]
    assert excess[0] == pytest.approx(8.0, abs=1e-3)
    assert np.all(np.diff(excess) < 0.0)
    assert abs(excess[10]) < 0.1


def test_overscan_and_master_bias_take_the_bias_out_as_in_production():
    settings = DetectorSettings(dead_columns=0.0, hot_pixels=0.0)

    def frame(name, light=0.0, exptime_s=0.0):
        pixels = np.full((QUADRANT.n_rows, QUADRANT.n_columns), light, np.float32)
        science, overscan, _ = read_out(
            pixels,
            QUADRANT,
            settings=settings,
            frame=name,
            seed=3,
            night=58849,
            exptime_s=exptime_s,
        )
        science, overscan = (
            reorder(each.astype(float), QUADRANT, source="raw", target="read")
            for each in (science, overscan)
        )
        rows = np.linspace(-1.0, 1.0, QUADRANT.n_rows)
        # A median of whole numbers is coarse; its mean over the rows is what counts.
        level = np.median(overscan[:, 24:], axis=1)
        return science - np.polynomial.Chebyshev.fit(rows, level, 3)(rows)[:, None]

    frames = np.array([frame(f"bias{i}") for i in range(20)])
    assert abs(frames.mean()) < 0.3
    assert frames.mean(axis=(0, 1)).std() == pytest.approx(2.0, rel=0.3)
    rest = frame("other") - frames.mean(axis=0)
    assert abs(rest.mean()) < 0.15
    noise = QUADRANT.read_noise / QUADRANT.gain / np.sqrt(QUADRANT.n_rows)
    assert rest.mean(axis=0).std() < 1.4 * noise
    blocks = rest.reshape(12, 50, -1).mean(axis=(1, 2))
    assert np.abs(blocks).max() < 0.4
