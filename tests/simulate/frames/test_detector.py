"""The detector: noise, gain and read noise as measured on its frames, each effect, the bytes."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from chandelle.core.errors import InputError
from chandelle.instrument.camera_files import load_camera
from chandelle.instrument.orders import reorder
from chandelle.physics.pocket import Pocket, apply_pocket
from chandelle.simulate.frames.bias import BiasSettings
from chandelle.simulate.frames.detector import (
    DetectorSettings,
    digitize,
    read_out,
    respond,
)
from chandelle.simulate.frames.strikes import CosmicRaySettings

jax_pocket = eqx.filter_jit(apply_pocket)

NO_BIAS = BiasSettings(slope_dn=0, column_dn=0, frame_dn=0, warmup_dn=0)
NO_RAYS = CosmicRaySettings(rate_per_cm2_s=0.0)
LEVEL = DetectorSettings(
    pocket=False,
    response=False,
    dead_columns=0.0,
    hot_pixels=0.0,
    cosmic_rays=NO_RAYS,
    bias=NO_BIAS,
)
SILENT = LEVEL.model_copy(update={"noise": False})


def a_quadrant(rows, columns, rcid=5, **changes):
    quadrant = load_camera("ztf").quadrant(rcid)
    return replace(quadrant, n_rows=rows, n_columns=columns, **changes)


def flat(quadrant, electrons):
    return np.full((quadrant.n_rows, quadrant.n_columns), electrons, np.float32)


def read(light, quadrant, settings, frame="a", **others):
    values = {"seed": 1, "night": 58849, "exptime_s": 30.0} | others
    return read_out(light, quadrant, settings=settings, frame=frame, **values)


def test_variance_is_that_of_photons_read_noise_and_rounding():
    quadrant = a_quadrant(1000, 1000)
    science, overscan, _ = read(flat(quadrant, 900.0), quadrant, LEVEL)
    expected = (900.0 + 30.0 * quadrant.dark_current + quadrant.read_noise**2) / quadrant.gain**2
    assert science.var() == pytest.approx(expected + 1.0 / 12.0, rel=0.01)
    assert science.mean() == pytest.approx(1500.0 + 930.0 / quadrant.gain, abs=0.05)
    noise = (quadrant.read_noise / quadrant.gain) ** 2
    assert overscan.var() == pytest.approx(noise + 1.0 / 12.0, rel=5 * np.sqrt(2 / overscan.size))


@pytest.mark.parametrize("rcid", [5, 40])
def test_photon_transfer_gives_gain_and_read_noise(rcid):
    quadrant = a_quadrant(1000, 1000, rcid)
    settings = LEVEL.model_copy(update={"bias": BiasSettings(), "hot_pixels": 1e-5})
    light = flat(quadrant, 120_000.0)
    one, two = (read(light, quadrant, settings, f"flat{i}").science.astype(float) for i in "ab")
    zero = flat(quadrant, 0.0)
    dark, other = (
        read(zero, quadrant, settings, f"bias{i}", exptime_s=0.0).science.astype(float)
        for i in "ab"
    )
    rounding = 1.0 / 12.0
    bias_variance = (dark - other).var() / 2.0
    gain = (one + two - dark - other).mean() / 2.0 / ((one - two).var() / 2.0 - bias_variance)
    assert gain == pytest.approx(quadrant.gain, rel=0.01)
    read_noise = np.sqrt(bias_variance - rounding) * quadrant.gain
    assert read_noise == pytest.approx(quadrant.read_noise, rel=0.01)


@pytest.mark.parametrize("rcid", range(8))
def test_response_is_undone_by_the_formula_of_calibration(rcid):
    quadrant = load_camera("ztf").quadrant(rcid)
    a, b = quadrant.response_a, quadrant.response_b
    true = np.linspace(-50.0, quadrant.saturation_dn, 3000, dtype=np.float32).reshape(300, 10)
    x = true.copy()
    respond(x, a=a, b=b)
    wide = x.astype(float)
    np.testing.assert_allclose(wide / (a * wide**2 + b * wide + 1.0), true, rtol=5e-7, atol=1e-5)
    off = np.abs(x / true - 1.0)[-1, -1]
    assert 1e-4 < off < 0.025


def test_response_beyond_what_it_can_give_stays_finite():
    x = np.array([[1e6, 1e3]], dtype=np.float32)
    respond(x, a=5e-12, b=0.0)
    assert np.isfinite(x).all()


@pytest.mark.parametrize("rcid", [4, 5])
def test_light_goes_through_pocket_and_response_in_read_order(rcid):
    # rcid 4 is read from the left, 5 from the right.
    quadrant = a_quadrant(40, 200, rcid)
    rng = np.random.default_rng(1)
    light = (2000 + np.minimum(300 * rng.pareto(1.0, (40, 200)), 3e5)).astype(np.float32)
    settings = SILENT.model_copy(update={"pocket": True, "response": True})
    science, overscan, _ = read(light, quadrant, settings, exptime_s=0.0)
    charge = reorder(light.astype(float), quadrant, source="sky", target="read") / quadrant.gain
    trap = Pocket.of(quadrant.pocket)
    out, _ = jax_pocket(jnp.asarray(charge), trap, n_overscan=quadrant.overscan_columns)
    measured = np.concatenate(
        [reorder(each, quadrant, source="raw", target="read") for each in (science, overscan)], 1
    )
    x = measured - quadrant.bias_dn
    seen = x / (quadrant.response_a * x**2 + quadrant.response_b * x + 1.0)
    np.testing.assert_allclose(seen, out, atol=0.6)
    trail = seen[:, quadrant.n_columns :].mean(axis=0)
    assert trail[0] > 10.0 > trail[9] > 0.0
    # In the file the first overscan pixel is beside the last column read.
    beside = 0 if quadrant.read_x == 1 else -1
    assert overscan[:, beside].mean() == overscan.mean(axis=0).max()


def test_without_pocket_nothing_trails():
    quadrant = a_quadrant(40, 200)
    _, overscan, _ = read(flat(quadrant, 5000.0), quadrant, SILENT)
    assert np.all(overscan == 1500)
    no_trap = replace(quadrant, pocket=None)
    on = SILENT.model_copy(update={"pocket": True})
    assert np.all(read(flat(quadrant, 5000.0), no_trap, on).overscan == 1500)


def test_overscan_may_be_absent():
    quadrant = a_quadrant(10, 20, overscan_columns=0)
    science, overscan, _ = read(flat(quadrant, 5.0), quadrant, DetectorSettings())
    assert science.shape == (10, 20)
    assert overscan.shape == (10, 0)


def test_dead_columns_are_bias_and_stay():
    quadrant = a_quadrant(60, 400)
    settings = SILENT.model_copy(update={"dead_columns": 6.0})
    one, other = (
        read(flat(quadrant, level), quadrant, settings, f"{level}", night=night).science
        for level, night in ((5e3, 58849), (9e4, 58950))
    )
    dead = np.flatnonzero((one == 1500).all(axis=0))
    assert len(dead) > 1
    np.testing.assert_array_equal(dead, np.flatnonzero((other == 1500).all(axis=0)))
    assert np.all(np.delete(one, dead, axis=1) > 1500)
    elsewhere = read(flat(quadrant, 5e3), replace(quadrant, rcid=6), settings).science
    assert not np.array_equal(one, elsewhere)


def test_hot_pixels_leak_with_time():
    quadrant = a_quadrant(200, 200)
    settings = SILENT.model_copy(update={"hot_pixels": 1e-3, "hot_current": 20.0})  # none bleeds
    short, long, none = (
        read(flat(quadrant, 0.0), quadrant, settings, exptime_s=time).science.astype(float) - 1500
        for time in (300.0, 600.0, 0.0)
    )
    hot = long > 2.0 * np.median(long)
    assert 10 < hot.sum() < 80
    np.testing.assert_allclose(long[hot], 2.0 * short[hot], atol=2.0)
    assert np.all(none == 0.0)


def test_numbers_end_at_0_and_65535():
    signal = np.array([[-5.0, 0.4, 0.6, 65535.4, 1e6]], dtype=np.float32)
    np.testing.assert_array_equal(digitize(signal), [[0, 0, 1, 65535, 65535]])
    quadrant = a_quadrant(20, 20, full_well=1e6, bias_dn=0.0)
    assert np.all(read(flat(quadrant, 9e5), quadrant, LEVEL).science == 65535)
    empty = read(flat(quadrant, 0.0), quadrant, LEVEL, exptime_s=0.0).science
    assert 0.3 < np.mean(empty == 0) < 0.8


def test_full_well_ends_what_a_quadrant_counts():
    quadrant = a_quadrant(50, 20)
    light = flat(quadrant, 0.0)
    light[25, 10] = 2e6
    science = read(light, quadrant, SILENT, exptime_s=0.0).science
    assert science.max() == round(quadrant.full_well / quadrant.gain + 1500.0)
    assert set(np.flatnonzero((science > 1500).any(axis=0))) == {10}


def test_a_frame_is_the_same_bytes_whatever_was_read_before():
    quadrant, settings = a_quadrant(100, 120), DetectorSettings(brighter_fatter=1e-6)
    other, light = a_quadrant(100, 120, 6), flat(quadrant, 400.0)
    before = light.copy()
    one = read(light, quadrant, settings)
    read(light, other, settings, "b")
    two = read(light, quadrant, settings)
    for first, second in zip(one[:2], two[:2], strict=True):
        assert first.dtype == np.uint16
        assert first.flags.c_contiguous
        assert first.tobytes() == second.tobytes()
    np.testing.assert_array_equal(light, before)
    for changed in (
        read(light, quadrant, settings, "b"),
        read(light, other, settings),
        read(light, quadrant, settings, seed=2),
    ):
        assert np.mean(changed.science == one.science) < 0.3


def test_one_effect_left_out_leaves_the_noise_of_the_others():
    quadrant = a_quadrant(100, 120)
    light = flat(quadrant, 400.0)
    with_rays = DetectorSettings(cosmic_rays=CosmicRaySettings(rate_per_cm2_s=100.0))
    without = with_rays.model_copy(update={"cosmic_rays": NO_RAYS, "pocket": False})
    trapless = with_rays.model_copy(update={"pocket": False})
    clean, struck = (read(light, quadrant, each) for each in (without, trapless))
    same = np.mean(clean.science == struck.science)
    assert 0.5 < same < 1.0
    assert len(struck.cosmic_rays.x) > 10


@pytest.mark.parametrize(
    ("light", "words"),
    [
        (np.zeros((3, 4), np.float32), "expected"),
        (np.full((4, 4), -1.0, np.float32), "0 or more"),
        (np.full((4, 4), np.nan, np.float32), "finite"),
    ],
)
def test_light_that_cannot_be_is_refused(light, words):
    with pytest.raises(InputError, match=words):
        read(light, a_quadrant(4, 4), LEVEL)
