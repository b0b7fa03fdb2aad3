"""Visits: intervals, weather, moon, depth; against the calendar and their own statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import get_body
from astropy.time import Time

from chandelle.core.rng import key_for
from chandelle.simulate.cadence import (
    DEEP,
    ZTF,
    Plan,
    Weather,
    clear_nights,
    moon_fraction,
    visits,
)


def take(survey, *, key, clear=None, start=58300.3, length=100.0):
    clear = jnp.ones(400, bool) if clear is None else clear
    plan = Plan.of(survey, longest=120.0, n_obs=160, n_band=4)
    weather = Weather(clear=clear, first_mjd=jnp.asarray(58200.0))
    start = jnp.asarray(start)
    return visits(plan, weather, start=start, stop=start + length, key=key)


def test_moon_is_where_the_ephemeris_says():
    # Mean period against astropy's ephemeris: the true moon runs up to 0.6 d ahead or behind.
    mjd = np.linspace(53000.0, 59000.0, 60)
    time = Time(mjd, format="mjd")
    elongation = get_body("sun", time).separation(get_body("moon", time)).rad
    lit = 0.5 * (1.0 - np.cos(elongation))
    assert np.abs(np.asarray(moon_fraction(jnp.asarray(mjd))) - lit).max() < 0.12


@pytest.mark.parametrize("survey", [ZTF, DEEP])
def test_weather_has_the_fraction_and_the_spells_asked_for(survey):
    n = 200_000
    fraction, spell_nights = jnp.asarray(survey.clear_fraction), jnp.asarray(survey.spell_nights)
    clear = np.asarray(clear_nights(fraction, spell_nights, n, key=key_for(3, "weather")))
    starts = np.flatnonzero(clear[:-1] & ~clear[1:])
    spell = (~clear).sum() / len(starts)
    # Spells are geometric: variance s(s-1); n_spells of them.
    tolerance = 5.0 * np.sqrt(survey.spell_nights * (survey.spell_nights - 1.0) / len(starts))
    assert abs(spell - survey.spell_nights) < tolerance
    # The chain forgets over a cycle (clear spell and cloudy spell): n / cycle samples.
    cycle = survey.spell_nights / (1.0 - survey.clear_fraction)
    error = np.sqrt(survey.clear_fraction * (1.0 - survey.clear_fraction) * cycle / n)
    assert abs(clear.mean() - survey.clear_fraction) < 5.0 * error


def test_cadence_on_clear_nights():
    taken = take(ZTF, key=key_for(1, "a"))
    for i, expected in enumerate([{2.0, 3.0}, {2.0, 3.0}, {4.0}]):
        nights = np.floor(np.asarray(taken.mjd[(taken.band == i) & taken.is_taken]))
        assert set(np.diff(nights).tolist()) == expected
        assert nights[0] >= 58300.0
        assert nights[-1] < 58400.3


def test_clouds_and_moon_close_the_dome():
    assert not take(ZTF, key=key_for(1, "a"), clear=jnp.zeros(400, bool)).is_taken.any()
    deep = take(DEEP, key=key_for(1, "a"))
    moon = np.asarray(moon_fraction(deep.mjd))
    assert (moon[np.asarray(deep.is_taken)] <= DEEP.moon_limit).all()
    planned = np.asarray(Plan.of(DEEP, longest=120.0, n_obs=160, n_band=4).is_planned)
    lost = planned & ~np.asarray(deep.is_taken) & (np.asarray(deep.mjd) < 58400.3)
    assert lost.sum() > 10
    assert (moon[lost] > DEEP.moon_limit).all()


def test_depth_is_the_survey_s_in_dark_time():
    taken = jax.vmap(lambda key: take(ZTF, key=key))(jax.random.split(key_for(5, "depth"), 300))
    planned = Plan.of(ZTF, longest=120.0, n_obs=160, n_band=4).is_planned
    moon = np.asarray(moon_fraction(taken.mjd))
    for i, band in enumerate(ZTF.bands):
        is_band = (np.asarray(taken.band) == i) & np.asarray(planned)[None, :]
        is_dark = is_band & (moon < 0.1)
        depth = np.asarray(taken.depth)[is_dark]
        assert abs(depth.mean() - band.depth) < 5.0 * 0.15 / np.sqrt(is_dark.sum()) + 0.002
        is_bright = is_band & (moon > 0.95)
        assert np.asarray(taken.depth)[is_bright].mean() < band.depth - 0.8 * band.moon_loss
