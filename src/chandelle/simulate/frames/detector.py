"""The detector: from the light that falls on a quadrant to the numbers in its raw file.

The order is that of the charge: dark current, photon noise, brighter-fatter, cosmic rays, full well
and bleeding, dead columns; then, in read order, the pocket, the response of the amplifier, bias,
read noise and digitization. Each step has random numbers of its own, so that one can be left out
and the others stay bit for bit.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError
from chandelle.core.rng import key_for
from chandelle.instrument.ccd import Quadrant
from chandelle.instrument.orders import reorder
from chandelle.physics.compiled.pocket import pass_pocket
from chandelle.simulate.frames.bias import BiasSettings, bias_along_rows, bias_of_columns
from chandelle.simulate.frames.charge import (
    bleed,
    place_dead_columns,
    place_hot_pixels,
    push_charge,
)
from chandelle.simulate.frames.deviates import add_normal, draw_poisson
from chandelle.simulate.frames.strikes import (
    CosmicRays,
    CosmicRaySettings,
    add_cosmic_rays,
    draw_cosmic_rays,
)

Pixels = NDArray[np.float32]

_LARGEST = 65535
_BLOCK = 256


class DetectorSettings(StageConfig):
    """What the detector does to the light; the camera has its gain, noise, pocket and response.

    `brighter_fatter` is the relative fall of the variance of a flat per electron (some 1e-6; 0
    leaves it out). `dead_columns` is their mean number a quadrant: no charge comes from them, so
    that they read as bias and what the pocket releases. A fraction `hot_pixels` of the pixels leaks
    `hot_current` electrons a second in the mean. Without `noise`, neither photons nor the amplifier
    have any.
    """

    model_config = ConfigDict(allow_inf_nan=False)
    pocket: bool = True
    response: bool = True
    noise: bool = True
    brighter_fatter: float = Field(default=0.0, ge=0.0)
    dead_columns: float = Field(default=1.0, ge=0.0)
    hot_pixels: float = Field(default=1e-5, ge=0.0, le=1.0)
    hot_current: float = Field(default=100.0, ge=0.0)
    cosmic_rays: CosmicRaySettings = CosmicRaySettings()
    bias: BiasSettings = BiasSettings()


class Readout(NamedTuple):
    """A quadrant as read: pixels in raw order, uint16, and the cosmic rays in them (sky order)."""

    science: NDArray[np.uint16]
    overscan: NDArray[np.uint16]
    cosmic_rays: CosmicRays


def fixed_key(seed: int, quadrant: Quadrant) -> Key[Array, ""]:
    """Key of what a quadrant has in all frames: dead columns, hot pixels, bias structure."""
    return key_for(seed, "detector", quadrant.rcid)


def read_out(
    light: Pixels,
    quadrant: Quadrant,
    *,
    settings: DetectorSettings,
    frame: str,
    seed: int,
    night: int,
    exptime_s: float,
    place_in_series: int | None = None,
) -> Readout:
    """Read a quadrant out.

    Parameters
    ----------
    light : NDArray, shape (y, x), electron
        Photo-electrons expected, in sky order; zero for a dark or a bias frame.
    quadrant : Quadrant
        The amplifier and its pixels.
    settings : DetectorSettings
        What the detector does.
    frame : str
        Name of the exposure or calibration frame; with `seed` and the quadrant it fixes the noise.
    seed : int
        Of the run.
    night : int, day
        MJD of the night, for the drift of the bias.
    exptime_s : float, s
        In which dark current and cosmic rays gather; 0 for a bias frame.
    place_in_series : int, optional
        0 for the first frame of a calibration series, whose level has not settled.

    Returns
    -------
    Readout
        Pixels of shape (y, x), overscan of shape (y, overscan column), and cosmic rays.

    Raises
    ------
    InputError
        If the light has another shape than the quadrant, or a pixel is negative or not a number.
    """
    _check(light, quadrant)
    key, fixed = key_for(seed, "readout", frame, quadrant.rcid), fixed_key(seed, quadrant)
    electrons = gather(light, quadrant, settings, fixed=fixed, key=key, exptime_s=exptime_s)
    rays = draw_cosmic_rays(light.shape, settings.cosmic_rays, exptime_s=exptime_s, key=key)
    add_cosmic_rays(electrons, rays, settings.cosmic_rays, key=key)
    bleed(electrons, full_well=quadrant.full_well)
    columns = place_dead_columns(quadrant.n_columns, mean=settings.dead_columns, key=fixed)
    electrons[:, columns] = 0.0
    signal = amplify(electrons, quadrant, settings)
    add_bias(
        signal,
        quadrant,
        settings,
        key=fixed,
        night=night,
        frame=frame,
        place_in_series=place_in_series,
    )
    if settings.noise and quadrant.read_noise > 0.0:
        add_normal(signal, quadrant.read_noise / quadrant.gain, key, "read noise")
    numbers = digitize(signal)
    science, overscan = (
        np.ascontiguousarray(reorder(part, quadrant, source="read", target="raw"))
        for part in np.split(numbers, [quadrant.n_columns], axis=1)
    )
    return Readout(science, overscan, rays)


def _check(light: Pixels, quadrant: Quadrant) -> None:
    """Light of the shape of the quadrant, and such as a Poisson law takes."""
    shape = (quadrant.n_rows, quadrant.n_columns)
    if light.shape != shape:
        raise InputError(f"light on quadrant {quadrant.rcid}: expected {shape}, got {light.shape}")
    least, most = float(light.min()), float(light.max())
    if not (least >= 0.0 and most < np.inf):
        raise InputError(
            f"light on quadrant {quadrant.rcid}: expected finite electrons of 0 or more, found "
            f"{least:g} to {most:g}; clip what drew it"
        )


def gather(
    light: Pixels,
    quadrant: Quadrant,
    settings: DetectorSettings,
    *,
    fixed: Key[Array, ""],
    key: Key[Array, ""],
    exptime_s: float,
) -> Pixels:
    """Gather charge from light and dark current, with photon noise, and let it push itself.

    Parameters
    ----------
    light : NDArray, shape (y, x), electron
        Photo-electrons expected.
    quadrant : Quadrant
        It has the dark current.
    settings : DetectorSettings
        Hot pixels, noise and brighter-fatter.
    fixed, key : Key
        Of the quadrant, and of the quadrant in this frame.
    exptime_s : float, s
        For the dark current.

    Returns
    -------
    NDArray, shape (y, x), electron
        In the order of `light`, which stays as it was.
    """
    electrons = np.array(light, dtype=np.float32, order="C")
    electrons += np.float32(quadrant.dark_current * exptime_s)
    row, column, current = place_hot_pixels(
        light.shape,
        fraction=settings.hot_pixels,
        current=settings.hot_current,
        key=fixed,
    )
    np.add.at(electrons, (row, column), (current * exptime_s).astype(np.float32))
    if settings.noise:
        draw_poisson(electrons, key, "photons")
    if settings.brighter_fatter > 0.0:
        push_charge(electrons, deficit=settings.brighter_fatter, full_well=quadrant.full_well)
    return electrons


def amplify(electrons: Pixels, quadrant: Quadrant, settings: DetectorSettings) -> Pixels:
    """Read charge through the pocket and the amplifier, overscan behind it.

    Parameters
    ----------
    electrons : NDArray, shape (y, x), electron
        In sky order.
    quadrant : Quadrant
        Its gain, pocket and response.
    settings : DetectorSettings
        Which of them act.

    Returns
    -------
    NDArray, shape (y, x + overscan), DN above the bias
        In read order.
    """
    shape = (quadrant.n_rows, quadrant.n_columns + quadrant.overscan_columns)
    signal = np.zeros(shape, dtype=np.float32)
    charge = reorder(electrons, quadrant, source="sky", target="read")
    np.multiply(charge, np.float32(1.0 / quadrant.gain), out=signal[:, : quadrant.n_columns])
    if settings.pocket and quadrant.pocket is not None:
        pass_pocket(signal, quadrant.pocket)
    if settings.response:
        respond(signal, a=quadrant.response_a, b=quadrant.response_b)
    return signal


def respond(signal: Pixels, *, a: float, b: float) -> None:
    r"""Give what an amplifier measures, in place: the inverse of the correction of its response.

    The root of :math:`d = x / (A x^2 + B x + 1)` next to d,

    .. math:: x = \frac{2 d}{1 - B d + \sqrt{(1 - B d)^2 - 4 A d^2}}

    Parameters
    ----------
    signal : NDArray, shape (y, x), DN above the bias
        d, changed into x. Beyond 1 / (B + 2 sqrt(A)), which no x gives, x is that of the same sum
        without the root.
    a, b : float, 1/DN^2, 1/DN
        A and B.
    """
    for start in range(0, len(signal), _BLOCK):
        d = signal[start : start + _BLOCK]
        linear = 1.0 - np.float32(b) * d
        square = linear * linear - np.float32(4.0 * a) * d * d
        d *= 2.0 / (linear + np.sqrt(np.maximum(square, 0.0)))


def add_bias(
    signal: Pixels,
    quadrant: Quadrant,
    settings: DetectorSettings,
    *,
    key: Key[Array, ""],
    night: int,
    frame: str,
    place_in_series: int | None = None,
) -> None:
    """Add the bias of `simulate.frames.bias` to science pixels and overscan, in place.

    Parameters
    ----------
    signal : NDArray, shape (y, x + overscan), DN
        In read order, changed.
    quadrant : Quadrant
        It has the level.
    settings : DetectorSettings
        Amplitudes of the structure.
    key : Key
        Of the quadrant, the same in all frames.
    night : int, day
        MJD of the night.
    frame : str
        Its name.
    place_in_series : int, optional
        0 for the first frame of a series.
    """
    rows = bias_along_rows(
        quadrant,
        settings.bias,
        key=key,
        night=night,
        frame=frame,
        place_in_series=place_in_series,
    )
    signal += rows[:, None]
    signal[:, : quadrant.n_columns] += bias_of_columns(
        quadrant, settings.bias, key=key, night=night
    )


def digitize(signal: Pixels) -> NDArray[np.uint16]:
    """Round to whole numbers between 0 and 65535."""
    numbers = np.empty(signal.shape, dtype=np.uint16)
    for start in range(0, len(signal), _BLOCK):
        block = slice(start, start + _BLOCK)
        numbers[block] = np.clip(np.rint(signal[block]), 0, _LARGEST)
    return numbers
