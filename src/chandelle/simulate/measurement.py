"""What an exposure makes of a flux: its error, and noise that belongs to the pair of both."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.rng import name_numbers
from chandelle.products.exposures import Exposures
from chandelle.simulate.logs.clouds import cloud_loss
from chandelle.simulate.logs.coverage import Visits
from chandelle.simulate.noise import flux_error

Floats = NDArray[np.float64]
_CHUNK = 1 << 17
"""Epochs a call; the last is padded, so that one program serves all."""


def measure(
    flux: Floats,
    visits: Visits,
    exposures: Exposures,
    keys: Key[Array, " target"],
    *,
    clouds: Floats | None = None,
    floor: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Measure true fluxes in the exposures that see them.

    The solution of the zero points follows the clouds: fluxes are right, errors are those of the
    place in the focal plane. Errors are of the true flux, so that they carry no noise. The noise
    is that of the pair (target, exposure), whatever else is measured.

    Parameters
    ----------
    flux : array, shape (pair,), nJy
        True, in the passband of the exposure.
    visits : Visits
        The pairs.
    exposures : Exposures
        The log.
    keys : key, shape (target,)
        Random key of each target.
    clouds : array, shape (exposure, coefficient), optional
        As `log_clouds` gives them; without, each exposure is equally deep everywhere.
    floor : array, shape (pair,), optional
        Part of the flux that an epoch scatters by, however bright.

    Returns
    -------
    flux, flux_err : array, shape (pair,), nJy
        Measured, and one sigma.

    Raises
    ------
    InputError
        If the photons alone make an exposure shallower than it says it is.
    """
    depth, zp = (exposures[name][visits.exposure] for name in ("depth", "zp"))
    if clouds is not None:
        more = _more_clouds(visits, exposures, clouds)
        depth, zp = depth - more, zp - more
    data = np.asarray(jax.random.key_data(keys))
    numbers = name_numbers(np.asarray(exposures["exposure"]).tolist())
    floor = np.zeros(len(flux)) if floor is None else floor
    error, noise = np.empty(len(flux)), np.empty(len(flux))
    for start in range(0, len(flux), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(flux)))
        parts = (flux[rows], depth[rows], zp[rows], floor[rows], data[visits.target[rows]])
        padded = (_padded(one) for one in (*parts, numbers[visits.exposure[rows]]))
        found = _measured(*padded)
        n = rows.stop - start
        error[rows], noise[rows] = (np.asarray(one)[:n] for one in found)
    bad = np.flatnonzero(~np.isfinite(error))
    if len(bad):
        name = exposures["exposure"][visits.exposure[bad[0]]]
        raise InputError(
            f"exposure {name}: deeper than its photons allow (depth {depth[bad[0]]:.2f}, zp "
            f"{zp[bad[0]]:.2f}; {len(bad)} epochs): zp is the source of one photo-electron in the "
            "exposure, 3.5 mag or more above the depth; mend zp"
        )
    return flux + noise, error


def _padded(values: NDArray) -> Array:
    """Repeat the last row until a chunk is full."""
    missing = ((0, _CHUNK - len(values)), *[(0, 0)] * (values.ndim - 1))
    return jnp.asarray(np.pad(values, missing, mode="edge"))


@jax.jit
def _measured(
    flux: Float[Array, " pair"],
    depth: Float[Array, " pair"],
    zp: Float[Array, " pair"],
    floor: Float[Array, " pair"],
    data: UInt32[Array, "pair word"],
    numbers: UInt32[Array, "pair word"],
) -> tuple[Float[Array, " pair"], Float[Array, " pair"]]:
    """Error and noise of each pair."""
    error = jnp.hypot(flux_error(flux, depth, zp), floor * flux)

    def draw(words: UInt32[Array, " word"], number: UInt32[Array, " word"]) -> Float[Array, ""]:
        key = jax.random.wrap_key_data(words)
        key = jax.random.fold_in(jax.random.fold_in(key, number[0]), number[1])
        return jax.random.normal(key, dtype=float)

    return error, error * jax.vmap(draw)(data, numbers)


def _more_clouds(visits: Visits, exposures: Exposures, clouds: Floats) -> Floats:
    """Loss at the place of each pair beyond the mean of the exposure [mag]."""
    loss = np.empty(len(visits))
    for start in range(0, len(visits), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(visits)))
        parts = (clouds[visits.exposure[rows]], visits.xi[rows], visits.eta[rows])
        loss[rows] = np.asarray(_losses(*map(_padded, parts)))[: rows.stop - start]
    return loss - exposures["cloud_mag"][visits.exposure]


_losses = jax.jit(jax.vmap(cloud_loss))
