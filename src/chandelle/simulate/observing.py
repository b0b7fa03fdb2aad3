"""One supernova drawn and observed; the batch of a survey is this function mapped over keys."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from chandelle.core.rng import keys_for
from chandelle.physics.salt import SaltModel, peak_magnitude_offset
from chandelle.physics.salt_grid import SaltSurfaces
from chandelle.simulate.cadence import Plan, Survey, Visits, Weather, clear_nights, visits
from chandelle.simulate.fluxes import Bands, SaltState, true_flux
from chandelle.simulate.noise import flux_error, observe
from chandelle.simulate.population import Nature, RedshiftLaw, Supernova, draw_supernova

PHASES = (-18.0, 45.0)
"""Rest-frame days from maximum in which a supernova is observed: off the ends of the model's
phases, where its flux jumps to zero and a fit can get stuck."""
_N_OBS, _N_BAND, _N_SAMPLE = 160, 4, 512
_BATCH = 50
_SPARE_NIGHTS = 200


class Sky(eqx.Module):
    """What all supernovae of a survey share."""

    plan: Plan
    weather: Weather
    law: RedshiftLaw
    bands: Bands
    surfaces: SaltSurfaces
    mb_of_unit_x0: Float[Array, ""]


class Observed(eqx.Module):
    """One supernova with its visits; under `vmap` all of a survey."""

    supernova: Supernova
    state: SaltState
    visits: Visits
    flux_true: Float[Array, "*sn obs"]
    flux: Float[Array, "*sn obs"]
    flux_err: Float[Array, "*sn obs"]


def make_sky(survey: Survey, nature: Nature, salt: SaltModel, *, key: Key[Array, ""]) -> Sky:
    """Prepare what the supernovae of a survey share.

    Parameters
    ----------
    survey : Survey
        Cadence, depth, range of redshift.
    nature : Nature
        True parameters.
    salt : SaltModel
        The spectra.
    key : key
        Random key of the weather.

    Returns
    -------
    Sky
        Arrays, of the same shapes for every survey.
    """
    # Peculiar velocities of 5 sigma change 1 + z by less than 0.01.
    stretch = 1.01 + survey.z_max
    first_mjd = math.floor(survey.mjd_start + PHASES[0] * stretch) - 1
    n_nights = math.ceil(survey.season_days) + _SPARE_NIGHTS
    longest = (PHASES[1] - PHASES[0]) * stretch
    names = tuple(band.band for band in survey.bands)
    law, clear = _draw_shared(
        nature,
        n_nights,
        z_min=jnp.asarray(survey.z_min),
        z_max=jnp.asarray(survey.z_max),
        clear_fraction=jnp.asarray(survey.clear_fraction),
        spell_nights=jnp.asarray(survey.spell_nights),
        key=key,
    )
    return Sky(
        plan=Plan.of(survey, longest=longest, n_obs=_N_OBS, n_band=_N_BAND),
        weather=Weather(clear=clear, first_mjd=jnp.asarray(float(first_mjd))),
        law=law,
        bands=Bands.of(names, n_band=_N_BAND, n_sample=_N_SAMPLE),
        surfaces=salt.surfaces,
        mb_of_unit_x0=jnp.asarray(peak_magnitude_offset(salt)),
    )


@eqx.filter_jit
def _draw_shared(
    nature: Nature,
    n_nights: int,
    *,
    z_min: Float[Array, ""],
    z_max: Float[Array, ""],
    clear_fraction: Float[Array, ""],
    spell_nights: Float[Array, ""],
    key: Key[Array, ""],
) -> tuple[RedshiftLaw, Bool[Array, " night"]]:
    """Distribution of redshifts and the weather, in one program."""
    law = RedshiftLaw.of(nature, z_min, z_max)
    return law, clear_nights(clear_fraction, spell_nights, n_nights, key=key)


def observe_supernova(sky: Sky, nature: Nature, *, key: Key[Array, ""]) -> Observed:
    r"""Draw a supernova, visit it, measure its fluxes.

    Errors are those of the true flux, so that they carry no noise of their own.

    Parameters
    ----------
    sky : Sky
        Cadence, weather, passbands, model.
    nature : Nature
        True parameters.
    key : key
        Random key of this supernova.

    Returns
    -------
    Observed
        Shape (obs,); visits not taken are marked.
    """
    key_sn, key_visits, key_noise = jax.random.split(key, 3)
    drawn = draw_supernova(sky.law, nature, key=key_sn)
    t0 = sky.plan.mjd_start + sky.plan.season_days * drawn.season
    state = SaltState(
        z=drawn.z_obs,
        t0=t0,
        x0=10.0 ** (-0.4 * (drawn.mb - sky.mb_of_unit_x0)),
        x1=drawn.x1,
        c=drawn.c,
        mwebv=drawn.mwebv,
    )
    taken = visits(
        sky.plan,
        sky.weather,
        start=t0 + PHASES[0] * (1.0 + drawn.z_obs),
        stop=t0 + PHASES[1] * (1.0 + drawn.z_obs),
        key=key_visits,
    )
    exact = true_flux(sky.surfaces, sky.bands, state, taken.mjd, taken.band)
    error = flux_error(exact, taken.depth, sky.plan.zp_electron[taken.band])
    return Observed(
        supernova=drawn,
        state=state,
        visits=taken,
        flux_true=exact,
        flux=observe(exact, error, key=key_noise),
        flux_err=error,
    )


@eqx.filter_jit
def _observe_batch(sky: Sky, nature: Nature, keys: Key[Array, " sn"]) -> Observed:
    return jax.vmap(lambda key: observe_supernova(sky, nature, key=key))(keys)


def observe_all(sky: Sky, nature: Nature, names: list[str], *, root: Key[Array, ""]) -> Observed:
    """Observe supernovae in batches of one size, so that one program serves any number.

    Parameters
    ----------
    sky, nature
        As for `observe_supernova`.
    names : list of str
        Each supernova's random key comes from its name.
    root : key
        Root of those keys.

    Returns
    -------
    Observed
        numpy arrays of shape (sn,) or (sn, obs).
    """
    padded = names + names[:1] * (-len(names) % _BATCH)
    batches = []
    for i in range(0, len(padded), _BATCH):
        keys = keys_for(root, padded[i : i + _BATCH])
        batches.append(jax.tree.map(np.asarray, _observe_batch(sky, nature, keys)))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[: len(names)], *batches)
