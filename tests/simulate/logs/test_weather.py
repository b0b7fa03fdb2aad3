"""Nights and seeing against their own statistics; n and tolerances of 5 standard errors stated."""

import dataclasses

import numpy as np

from chandelle.simulate.logs.weather import (
    STEPS,
    Weather,
    clear_share,
    delivered_seeing,
    open_nights,
    seeing_track,
)

STEADY = Weather(clear_fraction=0.7, spell_nights=2.5, seeing_median=1.1)
RNG_SEED = 11


def test_share_and_spells():
    n = 100_000
    uniform = np.random.default_rng(RNG_SEED).uniform(size=n)
    is_open = open_nights(np.arange(n), uniform, STEADY)
    starts = np.sum(is_open[:-1] & ~is_open[1:])
    spell = (~is_open).sum() / starts
    # Geometric spells: variance s (s - 1).
    assert abs(spell - 2.5) < 5.0 * np.sqrt(2.5 * 1.5 / starts)
    # The chain forgets over a cycle of 2.5 / 0.3 nights.
    assert abs(is_open.mean() - 0.7) < 5.0 * np.sqrt(0.21 * (2.5 / 0.3) / n)


def test_seasons():
    weather = dataclasses.replace(STEADY, season_amplitude=0.25, best_day=230.0)
    night = np.arange(100_000)
    share = clear_share(night, weather)
    # MJD 51544 is the first of January 2000.
    assert abs(clear_share(np.array([51544 + 230]), weather)[0] - 0.95) < 1e-3
    is_open = open_nights(night, np.random.default_rng(RNG_SEED).uniform(size=100_000), weather)
    good, bad = share > 0.85, share < 0.55
    # A third of the nights each, about 270 seasons of 120 nights; the chain lags by a spell.
    assert abs(is_open[good].mean() - share[good].mean()) < 0.03
    assert abs(is_open[bad].mean() - share[bad].mean()) < 0.03


def test_a_calendar_begins_alike_whatever_its_length():
    uniform = np.random.default_rng(RNG_SEED).uniform(size=100)
    night = np.arange(58000, 58100)
    assert np.array_equal(
        open_nights(night[:10], uniform[:10], STEADY), open_nights(night, uniform, STEADY)[:10]
    )


def test_seeing_is_lognormal_and_remembers():
    n = 2000
    normal = np.random.default_rng(RNG_SEED).normal(size=(n, 1 + STEPS))
    log = np.log(np.array([seeing_track(each, STEADY) for each in normal]) / 1.1)
    total = np.hypot(STEADY.night_scatter, STEADY.hour_scatter)
    for k in (0, 50, STEPS - 1):
        assert abs(log[:, k].mean()) < 5.0 * total / np.sqrt(n)
        assert abs(log[:, k].std() / total - 1.0) < 5.0 / np.sqrt(2.0 * n)
    # 18 steps of 5 min are the time constant of 1.5 h.
    covariance = np.mean((log[:, 60] - log[:, 60].mean()) * (log[:, 78] - log[:, 78].mean()))
    expected = STEADY.night_scatter**2 + STEADY.hour_scatter**2 * np.exp(-1.0)
    assert abs(covariance - expected) < 5.0 * total**2 * np.sqrt(2.0 / n)


def test_air_and_instrument_add_in_quadrature():
    one = np.ones(1)
    low = delivered_seeing(one, 2.0 * one, 5000.0 * one, 0.0 * one)
    assert np.allclose(low, 2.0**0.6)
    red = delivered_seeing(one, one, 10_000.0 * one, 0.0 * one)
    assert np.allclose(red, 2.0**-0.2)
    assert np.allclose(delivered_seeing(3.0 * one, one, 5000.0 * one, 4.0 * one), 5.0)
