"""Clouds: never negative, smooth over the field and in time, the level of the night, repeatable."""

import jax
import jax.numpy as jnp
import numpy as np

from chandelle.core.rng import key_for
from chandelle.simulate.logs.clouds import (
    MODES,
    WAVELENGTH_DEG,
    Clouds,
    cloud_coefficients,
    cloud_loss,
    mean_cloud_loss,
    mode_scatter,
)
from chandelle.simulate.logs.draws import draw_night, night_clouds
from chandelle.simulate.logs.weather import Weather

CLOUDS = Clouds()
CLOUDY = Weather(clear_fraction=0.7, photometric_fraction=0.0, seeing_median=1.0)
GRID = np.meshgrid(np.linspace(-3.7, 3.7, 75), np.linspace(-3.7, 3.7, 75))


def of_night(number, hours, weather=CLOUDY):
    draws = draw_night(key_for(1, "clouds", number))
    return night_clouds(58000 + hours / 24.0, 58000, draws, weather=weather, clouds=CLOUDS)


def loss_map(coefficients):
    xi, eta = (jnp.asarray(each) for each in GRID)
    return np.asarray(jax.vmap(lambda each: cloud_loss(each, xi, eta))(jnp.asarray(coefficients)))


def test_loss_is_positive_and_smooth_and_not_flat():
    coefficients = np.concatenate([of_night(i, np.array([2.0])) for i in range(50)])
    loss = loss_map(coefficients)
    assert (loss > 0).all()
    # The logarithm is bounded in slope by the sum of its waves: 0.1 deg a step.
    modes = np.abs(coefficients[:, 2:])
    slope = 2.0 * np.pi / WAVELENGTH_DEG * 2.0 * modes.sum(axis=1)
    steps = np.abs(np.diff(np.log(loss), axis=2)).max(axis=(1, 2))
    assert (steps <= 0.1 * slope + 1e-12).all()
    assert np.median(loss.std(axis=(1, 2)) / loss.mean(axis=(1, 2))) > 0.1


def test_statistics_in_time():
    # 4000 nights: scatter of each coefficient, and its correlation after the time constant.
    n = 4000
    rng = np.random.default_rng(5)
    hours = np.array([3.0, 3.0 + CLOUDS.hours])
    drawn = np.array(
        [
            cloud_coefficients(
                hours,
                level=0.1,
                frequency=rng.normal(size=(MODES, 16)),
                phase=rng.uniform(0.0, 2.0 * np.pi, (MODES, 16)),
                clouds=CLOUDS,
            )[:, 1:]
            for _ in range(n)
        ]
    )
    scatter = drawn[:, 0].std(axis=0) / mode_scatter(CLOUDS)
    assert np.abs(scatter - 1.0).max() < 5.0 / np.sqrt(2.0 * n)
    product = np.mean(drawn[:, 0] * drawn[:, 1], axis=0) / mode_scatter(CLOUDS) ** 2
    assert np.abs(product - np.exp(-0.5)).max() < 5.0 * np.sqrt(1.4 / n)


def test_levels_of_nights():
    n = 400
    mixed = Weather(clear_fraction=0.7, photometric_fraction=0.6, seeing_median=1.0)
    level = np.array([of_night(i, np.zeros(1), mixed)[0, 0] for i in range(n)])
    assert abs(np.mean(level == 0.0) - 0.6) < 5.0 * np.sqrt(0.24 / n)
    cloudy = np.log(level[level > 0])
    error = CLOUDS.night_scatter / np.sqrt(len(cloudy))
    assert abs(cloudy.mean() - np.log(CLOUDS.loss_median)) < 5.0 * error


def test_photometric_night_loses_nothing():
    clear = Weather(clear_fraction=0.7, photometric_fraction=1.0, seeing_median=1.0)
    assert (loss_map(of_night(3, np.array([1.0, 5.0]), clear)) == 0.0).all()


def test_the_same_night_has_the_same_clouds_however_it_is_asked():
    hours = np.linspace(0.0, 9.0, 40)
    whole = of_night(7, hours)
    assert np.array_equal(whole[[3]], of_night(7, hours[[3]]))
    assert not np.array_equal(whole[:, 1], of_night(8, hours)[:, 1])


def test_mean_over_the_field_is_that_of_a_fine_grid():
    coefficients = np.concatenate([of_night(i, np.array([4.0])) for i in range(20)])
    step = 7.3 / 200.0
    line = np.linspace(-3.65 + step / 2, 3.65 - step / 2, 200)
    xi, eta = (jnp.asarray(each) for each in np.meshgrid(line, line))
    fine = [float(cloud_loss(jnp.asarray(each), xi, eta).mean()) for each in coefficients]
    mean = mean_cloud_loss(jnp.asarray(coefficients), width=jnp.asarray(7.3))
    assert np.allclose(mean, fine, rtol=2e-3)
