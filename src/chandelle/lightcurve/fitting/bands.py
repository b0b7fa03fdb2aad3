"""The passbands of a set of light curves, stacked for the kernels, and which lie in range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.units import AB_JY
from chandelle.instrument.passbands import load_passband
from chandelle.physics.dust import DustLaw, extinction
from chandelle.physics.photometry import ab_bandflux, band_samples, support
from chandelle.physics.salt import SaltModel
from chandelle.physics.salt_covariance import BandCurve, band_curves, grid_lengths
from chandelle.products.passband import Passband

_STACK_PAD = 8
_SAMPLE_PAD = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BandSet:
    """Passbands in the order of their index, padded to few sizes.

    Attributes
    ----------
    passbands : tuple of Passband
        Without padding.
    wave, weight : Array, shape (band, sample)
        Samples [angstrom]; weights times F_lambda sum to nJy.
    count, curve_count : NDArray, shape (band,)
        Samples of `wave` and of `curve` that are not padding.
    curve, lengths
        For the model covariance, as `physics.salt_covariance` wants them.
    low, high, mean : NDArray, shape (band,), angstrom
        Ends of the range that transmits, and mean wavelength.
    """

    passbands: tuple[Passband, ...]
    wave: Float[Array, "band sample"]
    weight: Float[Array, "band sample"]
    count: NDArray[np.int64]
    curve: BandCurve
    curve_count: NDArray[np.int64]
    lengths: tuple[int, int]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]

    def in_range(
        self,
        band: NDArray[np.int64],
        z: NDArray[np.float64],
        *,
        model: SaltModel,
        wave_range: tuple[float, float] | None,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which bands the model can be fitted to at which redshift.

        Parameters
        ----------
        band, z : NDArray, shape (obs,)
            Index of the passband and redshift.
        model : SaltModel
            Gives the range of wavelengths.
        wave_range : (float, float), optional
            Further range of the mean rest-frame wavelength [angstrom].

        Returns
        -------
        tuple of NDArrays, shape (obs,)
            Whether the model covers the band, and whether `wave_range` admits it.
        """
        first, last = np.asarray(model.surfaces.wave)[[0, -1]]
        covered = (self.low[band] >= first * (1 + z)) & (self.high[band] <= last * (1 + z))
        if wave_range is None:
            return covered, np.ones_like(covered)
        mean = self.mean[band] / (1 + z)
        return covered, (mean > wave_range[0]) & (mean < wave_range[1])

    def dust_curve(self, dust: DustLaw, *, r_v: float) -> NDArray[np.float64]:
        """Extinction [mag] of unit E(B-V) at the samples, shape (band, sample)."""
        return _dust_curve(self, dust, r_v)


@lru_cache(maxsize=16)
def _dust_curve(bands: BandSet, dust: DustLaw, r_v: float) -> NDArray[np.float64]:
    return np.array(extinction(bands.wave, ebv=1.0, r_v=r_v, law=dust))


def without_passband(names: Sequence[str], own: Mapping[str, Passband]) -> dict[str, str]:
    """Names that have no passband, with what is to be said of each."""
    unknown = {}
    for name in names:
        try:
            resolve([name], own)
        except InputError as error:
            unknown[name] = str(error)
    return unknown


def resolve(names: Sequence[str], own: Mapping[str, Passband]) -> tuple[Passband, ...]:
    """Find each passband among those that came with the data, else among the shipped ones."""
    return tuple(own[name] if name in own else load_passband(name) for name in names)


@lru_cache(maxsize=16)
def stack_bands(passbands: tuple[Passband, ...]) -> BandSet:
    """Stack passbands for the kernels.

    Parameters
    ----------
    passbands : tuple of Passband
        In the order of their index; at least one.

    Returns
    -------
    BandSet
        Padded with copies of the last passband; the same object for the same passbands.
    """
    ends = [support(passband)[0][[0, -1]] for passband in passbands]
    padded = [*passbands, *[passbands[-1]] * (-len(passbands) % _STACK_PAD)]
    samples = [band_samples(passband) for passband in padded]
    length = max(len(s.wave) for s in samples)
    length += -length % _SAMPLE_PAD
    wave = [np.pad(s.wave, (0, length - len(s.wave)), "edge") for s in samples]
    weight = [
        np.pad(s.weight, (0, length - len(s.weight))) * (AB_JY * 1e9 / ab_bandflux(p))
        for s, p in zip(samples, padded, strict=True)
    ]
    return BandSet(
        passbands=passbands,
        wave=jnp.asarray(np.stack(wave)),
        weight=jnp.asarray(np.stack(weight)),
        count=np.array([np.flatnonzero(s.weight)[-1] + 1 for s in samples]),
        curve=band_curves(padded),
        curve_count=np.array([len(support(passband)[0]) for passband in padded]),
        lengths=grid_lengths(padded),
        low=np.array([low for low, _ in ends]),
        high=np.array([high for _, high in ends]),
        mean=np.array([passband.mean_wave for passband in passbands]),
    )
