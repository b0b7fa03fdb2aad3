"""What of the sky gets into a sample: detections, and who is observed by a spectrograph."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from chandelle.core.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A supernova is found where enough of its epochs stand out.

    Attributes
    ----------
    epochs : int
        So many at least; with 0 all are found.
    snr : float
        Flux over error of an epoch that counts.
    """

    epochs: int = 2
    snr: float = 5.0

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise InputError(f"Detection: epochs must be >= 0, got {self.epochs}")

    def count(self, flux: Floats, flux_err: Floats, first: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the detections of each supernova.

        Parameters
        ----------
        flux, flux_err : array, shape (obs,)
            Measured.
        first : array, shape (sn + 1,)
            Row of the first epoch of each supernova.

        Returns
        -------
        array of int, shape (sn,)
            Epochs above the threshold.
        """
        counts = np.concatenate([[0], np.cumsum(flux >= self.snr * flux_err)])
        return np.diff(counts[first])


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectroscopy:
    r"""Completeness of a magnitude-limited spectroscopic follow-up.

    .. math:: p(m) = 1 - \frac{1}{1 + e^{-k (m - m_{1/2})}}

    with m the true magnitude at maximum in the brightest of some bands, as observed. The defaults
    are those of the ZTF Bright Transient Survey as ZTF SN Ia DR2 describes them.

    Attributes
    ----------
    m_half : float, AB mag
        Where half are observed.
    slope : float, 1/mag
        Steepness k.
    bands : tuple of str
        Passbands; all of the survey if empty.

    Examples
    --------
    >>> Spectroscopy().probability(np.array([17.0, 18.55, 20.0])).round(3).tolist()
    [0.997, 0.5, 0.004]
    """

    m_half: float = 18.55
    slope: float = 3.8
    bands: tuple[str, ...] = ()

    def probability(self, magnitude: Floats) -> Floats:
        """Give the probability that one of such a peak magnitude is observed."""
        return expit(-self.slope * (magnitude - self.m_half))


def lottery(names: list[str], *, seed: int, survey: str) -> Floats:
    """A uniform number a supernova, by its name: it is chosen where its probability is larger."""
    return np.array([_uniform(f"{seed}/spectroscopy/{survey}/{name}") for name in names], float)


def _uniform(text: str) -> float:
    """A number in [0, 1) of 53 bits, by the hash of a text."""
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 11) * 2.0**-53
