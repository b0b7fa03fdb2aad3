"""All random numbers of one night, from the key of that night, in arrays of fixed shapes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from chandelle.simulate.logs.clouds import FEATURES, MODES, Clouds, cloud_coefficients
from chandelle.simulate.logs.weather import STEPS, Weather

MOST_EXPOSURES = 2048
"""Of one night: 40 s each fill 23 h."""


class NightDraws(eqx.Module):
    """Uniform and normal numbers of one night; what they decide stands in their names."""

    is_open: Float[Array, ""]
    is_photometric: Float[Array, ""]
    cloud_level: Float[Array, ""]
    cloud_frequency: Float[Array, "mode feature"]
    cloud_phase: Float[Array, "mode feature"]
    seeing: Float[Array, " step"]
    dither: Float[Array, "exposure two"]
    rotation: Float[Array, " exposure"]


@eqx.filter_jit
def _draw(key: Key[Array, ""]) -> NightDraws:
    opens, photometric, level, frequency, phase, seeing, dither, rotation = jax.random.split(key, 8)
    features = (MODES, FEATURES)
    return NightDraws(
        is_open=jax.random.uniform(opens),
        is_photometric=jax.random.uniform(photometric),
        cloud_level=jax.random.normal(level),
        cloud_frequency=jax.random.normal(frequency, features),
        cloud_phase=2.0 * jnp.pi * jax.random.uniform(phase, features),
        seeing=jax.random.normal(seeing, (1 + STEPS,)),
        dither=jax.random.uniform(dither, (MOST_EXPOSURES, 2)),
        rotation=jax.random.uniform(rotation, (MOST_EXPOSURES,), minval=-1.0),
    )


def draw_night(key: Key[Array, ""]) -> NightDraws:
    """Draw one night; one compiled program serves all nights, so that their bits agree.

    Parameters
    ----------
    key : key
        Of the night.

    Returns
    -------
    NightDraws
        With numpy arrays.
    """
    return jax.tree.map(np.asarray, _draw(key))


def night_clouds(
    mjd: np.ndarray, night: int, draws: NightDraws, *, weather: Weather, clouds: Clouds
) -> np.ndarray:
    """Cloud coefficients of the exposures of one night.

    Parameters
    ----------
    mjd : array, shape (exposure,), d
        Middles of the exposures.
    night : int, d
        Whole MJD.
    draws : NightDraws
        Of the night.
    weather, clouds : Weather, Clouds
        Statistics.

    Returns
    -------
    array, shape (exposure, 1 + MODES)
        As `cloud_loss` takes them; zero on a photometric night.
    """
    if float(draws.is_photometric) < weather.photometric_fraction:
        return np.zeros((len(mjd), 1 + MODES))
    level = clouds.loss_median * np.exp(clouds.night_scatter * float(draws.cloud_level))
    return cloud_coefficients(
        24.0 * (mjd - night),
        level=float(level),
        frequency=np.asarray(draws.cloud_frequency),
        phase=np.asarray(draws.cloud_phase),
        clouds=clouds,
    )
