r"""SALT, the spectral model of a type Ia supernova: fluxes, band fluxes and their covariance.

.. math:: F(p, \lambda) = x_0\,[M_0(p, \lambda) + x_1 M_1(p, \lambda)]\, 10^{-0.4\,c\,CL(\lambda)}

in the rest frame; the observer at redshift z sees F at :math:`\lambda/(1+z)` and
:math:`(t - t_0)/(1+z)`, divided by 1 + z, behind Milky Way dust.

References
----------
J. Guy et al., 2007, A&A 466, 11. W. D. Kenworthy et al., 2021, ApJ 923, 265.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.instrument.passbands import load_passband
from chandelle.instrument.reference import ReferenceSpectrum
from chandelle.instrument.salt_files import Grid, SaltFiles, read_salt
from chandelle.physics.dust import DustLaw
from chandelle.physics.photometry import band_samples, support, zero_magnitude_flux
from chandelle.physics.salt_covariance import SaltErrors, band_curves, grid_lengths
from chandelle.physics.salt_grid import ColorLaw, SaltSurfaces, Surface
from chandelle.physics.salt_kernels import (
    bandflux_kernel,
    flux_kernel,
    relative_variance_kernel,
)
from chandelle.products.passband import Passband, filter_of

Band = str | Passband
Bands = Band | Sequence[Band] | np.ndarray
Values = ArrayLike | Sequence[Any]


class SaltModel(eqx.Module):
    """A SALT2 or SALT3 model.

    Attributes
    ----------
    name : str
        Name of the model or of the folder it was read from.
    surfaces : SaltSurfaces
        Templates and color law.
    errors : SaltErrors
        Model variances.
    """

    name: str = eqx.field(static=True)
    surfaces: SaltSurfaces
    errors: SaltErrors

    def flux(
        self,
        mjd: Values,
        wave: Values,
        *,
        z: ArrayLike,
        t0: ArrayLike,
        x0: ArrayLike,
        x1: ArrayLike,
        c: ArrayLike,
        mwebv: ArrayLike = 0.0,
        r_v: ArrayLike = 3.1,
        dust: DustLaw = "f99",
    ) -> Array:
        """Spectral flux density seen by the observer.

        Parameters
        ----------
        mjd : array, shape (epoch,) or scalar, day
            Observer-frame times.
        wave : array, shape (wave,) or scalar, angstrom
            Observer-frame wavelengths.
        z, t0, x0, x1, c : scalar
            Redshift, time of maximum [day], amplitude, stretch, color.
        mwebv, r_v : scalar
            Milky Way color excess [mag] and total to selective extinction.
        dust : {"f99", "ccm89", "o94"}
            Extinction law.

        Returns
        -------
        Array, shape (epoch, wave), erg/s/cm2/angstrom
            Without the axes of scalar arguments; zero outside the model's phases.

        Raises
        ------
        InputError
            If a wavelength lies outside the model's range.
        """
        require_x64()
        times, waves = _floats(mjd), _floats(wave)
        z = self._inside(_floats(z), np.atleast_1d(wave), "wavelengths")
        theta = tuple(_floats(value) for value in (t0, x0, x1, c, mwebv, r_v))
        flux = flux_kernel(self.surfaces, jnp.ravel(times), jnp.ravel(waves), z, theta, dust)
        return flux.reshape(times.shape + waves.shape)

    def bandflux(
        self,
        band: Bands,
        mjd: Values,
        *,
        z: ArrayLike,
        t0: ArrayLike,
        x0: ArrayLike,
        x1: ArrayLike,
        c: ArrayLike,
        zp: Values | None = None,
        zpsys: str | ReferenceSpectrum = "ab",
        mwebv: ArrayLike = 0.0,
        r_v: ArrayLike = 3.1,
        dust: DustLaw = "f99",
    ) -> Array:
        """Flux through passbands.

        Parameters
        ----------
        band : str, Passband, or a sequence with one an epoch
            Passbands, or names `load_passband` knows.
        mjd : array, shape (epoch,) or scalar, day
            Observer-frame times, in any order.
        z, t0, x0, x1, c : scalar
            Redshift, time of maximum [day], amplitude, stretch, color.
        zp : float or array, shape (epoch,), mag, optional
            Zero point the flux is scaled to.
        zpsys : {"ab", "vega"} or ReferenceSpectrum
            Magnitude system of `zp`.
        mwebv, r_v, dust
            Milky Way dust, as for `flux`.

        Returns
        -------
        Array, shape of `mjd`
            Photons/s/cm2, or 10^(-0.4 (mag - zp)) if `zp` is given.

        Raises
        ------
        InputError
            If a band is unknown or reaches beyond the model's wavelengths.

        Examples
        --------
        >>> from chandelle.physics.salt import load_salt
        >>> salt = load_salt("salt3-f22")
        >>> theta = dict(z=0.05, t0=0.0, x0=1e-3, x1=0.0, c=0.0)
        >>> round(float(salt.bandflux("ztfg", 0.0, zp=25.0, **theta)), 2)
        643.32
        """
        require_x64()
        times = _floats(mjd)
        names, epochs = _group(band, np.shape(mjd))
        passbands = [_passband(name) for name in names]
        z = self._inside(_floats(z), *[support(p)[0] for p in passbands], "passband")
        theta = tuple(_floats(value) for value in (t0, x0, x1, c, mwebv, r_v))
        flat, parts = jnp.ravel(times), []
        for passband, index in zip(passbands, epochs, strict=True):
            samples = band_samples(passband)
            scale = 1.0 if zp is None else 1.0 / zero_magnitude_flux(passband, zpsys)
            wave, weight = jnp.asarray(samples.wave), jnp.asarray(samples.weight * scale)
            near = flat[_padded(index)]
            part = bandflux_kernel(self.surfaces, wave, weight, near, z, theta, dust)
            parts.append(part[: len(index)])
        flux = jnp.concatenate(parts)[np.argsort(np.concatenate(epochs))].reshape(times.shape)
        return flux if zp is None else flux * 10.0 ** (0.4 * _floats(zp))

    def bandflux_rcov(
        self,
        band: Bands,
        mjd: Values,
        *,
        z: ArrayLike,
        t0: ArrayLike,
        x1: ArrayLike,
        x0: ArrayLike = 1.0,
        c: ArrayLike = 0.0,
    ) -> Array:
        """Relative covariance of the model's band fluxes.

        Parameters
        ----------
        band, mjd, z, t0, x1
            As for `bandflux`.
        x0, c : scalar
            Accepted so that one set of parameters serves all methods; without effect.

        Returns
        -------
        Array, shape (epoch, epoch)
            Covariance of the fluxes over the product of the fluxes; a scalar for a scalar `mjd`.
        """
        require_x64()
        del x0, c
        times = _floats(mjd)
        names, epochs = _group(band, np.shape(mjd))
        passbands = [_passband(name) for name in names]
        z = self._inside(_floats(z), *[support(p)[0] for p in passbands], "passband")
        flat, parts, dispersions = jnp.ravel(times), [], []
        for passband, index in zip(passbands, epochs, strict=True):
            curve = jax.tree.map(lambda leaf: leaf[0], band_curves([passband]))
            lengths = grid_lengths([passband])
            args = (curve, lengths, flat[_padded(index)], z, _floats(t0), _floats(x1))
            variance, dispersion = relative_variance_kernel(self.surfaces, self.errors, *args)
            parts.append(variance[: len(index)])
            dispersions.append(jnp.broadcast_to(dispersion, len(index)))
        order = np.argsort(np.concatenate(epochs))
        filters = [filter_of(passband.name) for passband in passbands]
        label = np.repeat(filters, [len(index) for index in epochs])[order]
        dispersion = jnp.concatenate(dispersions)[order]
        common = dispersion[:, None] * dispersion[None, :]
        shared = jnp.where(label[:, None] == label[None, :], common, 0.0)
        rcov = jnp.diag(jnp.concatenate(parts)[order]) + shared
        return rcov.reshape(times.shape + times.shape)

    def _inside(self, z: Array, *waves_and_what: np.ndarray | str) -> Array:
        """Redshift, checked: all wavelengths must lie inside the model's range."""
        *waves, what = waves_and_what
        low = float(min(np.min(wave) for wave in waves))
        high = float(max(np.max(wave) for wave in waves))
        edges = self.surfaces.wave[jnp.asarray([0, -1])]
        outside = (low < edges[0] * (1.0 + z)) | (high > edges[1] * (1.0 + z))
        if isinstance(outside, Tracer):
            return eqx.error_if(z, outside, f"{what} outside the range of {self.name}")
        if bool(outside):
            raise InputError(
                f"{what} [{low:.6g}, {high:.6g}] outside the range of {self.name} at "
                f"z = {float(z):.4g}: {np.asarray(edges) * (1.0 + float(z))} angstrom"
            )
        return z


def load_salt(name_or_directory: str | Path) -> SaltModel:
    """Load a SALT model: a shipped one by name, or any folder in sncosmo's layout.

    Parameters
    ----------
    name_or_directory : str or Path
        ``"salt3-f22"``, or a folder of ``salt2_*.dat`` or ``salt3_*.dat`` files.

    Returns
    -------
    SaltModel
        Ready for fluxes and fits.

    Raises
    ------
    InputError
        If there is no such model or a file of it is malformed; the message names the file.

    Examples
    --------
    >>> load_salt("salt3-f22").name
    'salt3-f22'
    """
    require_x64()
    return salt_from_files(read_salt(name_or_directory))


@lru_cache(maxsize=4)
def salt_from_files(content: SaltFiles) -> SaltModel:
    """Build the model from the content of its files.

    Parameters
    ----------
    content : SaltFiles
        From `instrument.salt_files.read_salt`.

    Returns
    -------
    SaltModel
        Arrays on the default device; the same object for the same content.
    """
    templates = np.stack([content.m0.values.T, content.m1.values.T], axis=-1)
    low, high = content.color_law_range
    law = ColorLaw(jnp.asarray(content.color_law), _floats(low), _floats(high))
    surfaces = SaltSurfaces(
        phase=jnp.asarray(content.m0.phase),
        wave=jnp.asarray(content.m0.wave),
        templates=jnp.asarray(templates),
        color_law=law,
    )
    scale = content.error_scale
    errors = SaltErrors(
        variance_0=_surface(content.variance_0),
        variance_1=_surface(content.variance_1),
        covariance_01=_surface(content.covariance_01),
        error_scale=None if scale is None else _surface(scale),
        dispersion_wave=jnp.asarray(content.color_dispersion[0]),
        dispersion=jnp.asarray(content.color_dispersion[1]),
    )
    return SaltModel(name=content.name, surfaces=surfaces, errors=errors)


def peak_magnitude_offset(model: SaltModel) -> float:
    """Rest-frame Bessell B magnitude (AB) of the model at phase 0 for x0 = 1, x1 = c = 0.

    Parameters
    ----------
    model : SaltModel
        Any.

    Returns
    -------
    float, mag
        10.5056 for SALT2-4, 10.5115 for SALT3; mb is this minus 2.5 log10 x0.

    Examples
    --------
    >>> round(peak_magnitude_offset(load_salt("salt3-f22")), 4)
    10.5114
    """
    require_x64()
    passband = load_passband("bessellb")
    samples = band_samples(passband)
    weight = samples.weight / zero_magnitude_flux(passband, "ab")
    zero, one = _floats(0.0), _floats(1.0)
    theta = (zero, one, zero, zero, zero, _floats(3.1))
    args = (_floats(samples.wave), _floats(weight), _floats([0.0]), zero, theta, "f99")
    return -2.5 * math.log10(float(bandflux_kernel(model.surfaces, *args)[0]))


def _surface(grid: Grid) -> Surface:
    return Surface(jnp.asarray(grid.phase), jnp.asarray(grid.wave), jnp.asarray(grid.values))


def _floats(value: Values) -> Array:
    return jnp.asarray(value, dtype=jnp.float64)


def _passband(band: Band) -> Passband:
    return band if isinstance(band, Passband) else load_passband(str(band))


def _group(band: Bands, shape: tuple[int, ...]) -> tuple[list[Band], list[np.ndarray]]:
    """Unique bands in order of appearance, and the epochs of each."""
    count = int(np.prod(shape))
    bands = [band] * count if isinstance(band, str | Passband) else list(band)
    if len(bands) != count:
        raise InputError(f"expected one band an epoch, got {len(bands)} for {count} epochs")
    epochs: dict[Band, list[int]] = {}
    for i, name in enumerate(bands):
        epochs.setdefault(name, []).append(i)
    return list(epochs), [np.array(index) for index in epochs.values()]


def _padded(index: np.ndarray) -> np.ndarray:
    """Lengthen to a power of two, so that the kernels are traced for few lengths."""
    missing = (1 << max(len(index) - 1, 0).bit_length()) - len(index)
    return np.pad(index, (0, missing), "edge")
