"""The pocket effect of `physics.pocket` as plain loops, forward alone, for whole quadrants.

Rows are independent, so 32 go side by side and the compiler makes vector instructions of them.
It can do so with no library function inside: powers are computed here, from a series of the
logarithm and one of the exponential, to 1e-14 of themselves, the same on every processor. The
recursion runs in float64 whatever the pixels are.
"""

import math

import numpy as np
from numpy.typing import NDArray

from chandelle.core.compiled import compiled, compiled_entry
from chandelle.core.errors import InputError
from chandelle.instrument.ccd import PocketParameters

Floats = NDArray[np.float64]
Pixels = NDArray[np.floating]

_LANES = 32
"""Rows side by side; loops of 16 the compiler unrolls before it can make vectors of them."""
_CHUNK = 32
"""Columns in a block, which stays in the nearest cache."""
_LEAST = 1e-300
_LN2 = math.log(2.0)
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_ROUNDING = 1.5 * 2.0**52
_ROUNDING_BITS = 0x4338000000000000


def pass_pocket(pixels: Pixels, parameters: PocketParameters) -> Floats:
    """Pass the rows of a quadrant through its trap, in place.

    The equations are those of `physics.pocket.apply_pocket`, to which this is equal to 1e-10.

    Parameters
    ----------
    pixels : NDArray, shape (y, x), float32 or float64
        Charge of the pixels above the bias, in read order, finite; the last columns are the
        overscan, zero. Overwritten by what arrives at the amplifier.
    parameters : PocketParameters
        The trap, in the unit of the pixels.

    Returns
    -------
    NDArray, shape (y,)
        What is left in the trap at the end of each row.

    Raises
    ------
    InputError
        If the array is not one of floats, row after row in memory.

    References
    ----------
    arXiv:2509.04073.

    Examples
    --------
    >>> trap = PocketParameters(alpha=1.5, cmax=750.0, beta=0.4, nmax=3e5)
    >>> row = np.array([[1000.0, 100.0, 0.0]])
    >>> charge = pass_pocket(row, trap)
    >>> row.round(1), charge.round(1)
    (array([[923.4,  98.5,  25.2]]), array([52.9]))
    """
    is_image = pixels.ndim == 2 and pixels.flags.c_contiguous
    if not is_image or pixels.dtype not in (np.float32, np.float64):
        raise InputError(
            "the pocket expects an array (y, x) of float32 or float64, row after row in memory, "
            f"found {pixels.dtype} of shape {pixels.shape}; give a copy of it"
        )
    charge = np.zeros(len(pixels))
    trap = parameters
    _pass_rows(pixels, trap.alpha, trap.cmax, trap.beta, trap.nmax, charge)
    return charge


@compiled_entry
def _pass_rows(
    pixels: Pixels, alpha: float, cmax: float, beta: float, nmax: float, charge: Floats
) -> None:
    """Pass all rows, in blocks of lanes (rows) and columns that are copied to and fro."""
    n_rows, n_columns = pixels.shape
    block, wanted = np.zeros((_CHUNK, _LANES)), np.zeros((_CHUNK, _LANES))
    held = np.zeros(_LANES)
    scale = cmax * nmax**-beta
    for y in range(0, n_rows, _LANES):
        lanes = min(_LANES, n_rows - y)
        for lane in range(_LANES):
            held[lane] = 0.0
        for x in range(0, n_columns, _CHUNK):
            columns = min(_CHUNK, n_columns - x)
            for lane in range(lanes):
                for column in range(columns):
                    block[column, lane] = pixels[y + lane, x + column]
            for column in range(columns):
                _want(block[column], scale, beta, wanted[column])
                _pass_column(block[column], wanted[column], alpha, cmax, held)
            for lane in range(lanes):
                for column in range(columns):
                    pixels[y + lane, x + column] = block[column, lane]
        for lane in range(lanes):
            charge[y + lane] = held[lane]


@compiled
def _want(pixel: Floats, scale: float, beta: float, wanted: Floats) -> None:
    """What an empty trap would take of the pixels of a column, before its bounds."""
    for lane in range(_LANES):
        wanted[lane] = scale * _exp2(beta * _log2(pixel[lane]))


@compiled
def _pass_column(pixel: Floats, wanted: Floats, alpha: float, cmax: float, held: Floats) -> None:
    """Let the traps of all lanes give to and take from their pixels."""
    for lane in range(_LANES):
        charge = held[lane]
        filled = charge / cmax
        released = min(cmax * _exp2(alpha * _log2(filled)), charge)
        captured = _exp2(alpha * _log2(1.0 - filled)) * wanted[lane]
        captured = min(min(captured, cmax - charge), max(pixel[lane], 0.0))
        change = released - captured
        held[lane] = charge - change
        pixel[lane] += change


@compiled
def _log2(x: float) -> float:
    """Logarithm, of 1e-300 at least: its exponent, and a series in (m - 1) / (m + 1)."""
    bits = np.float64(max(x, _LEAST)).view(np.int64)
    exponent = (bits - np.int64(_SQRT_HALF_BITS)) >> np.int64(52)
    mantissa = np.int64(bits - (exponent << np.int64(52))).view(np.float64)  # sqrt(1/2) to sqrt(2)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 1 / 21
    series = series * z + 1 / 19
    series = series * z + 1 / 17
    series = series * z + 1 / 15
    series = series * z + 1 / 13
    series = series * z + 1 / 11
    series = series * z + 1 / 9
    series = series * z + 1 / 7
    series = series * z + 1 / 5
    series = series * z + 1 / 3
    return exponent + 2.0 / _LN2 * (s + s * z * series)


@compiled
def _exp2(x: float) -> float:
    """Power of 2, of at least -1000 and at most 1000: a whole one, and a series of the rest."""
    rounded = min(max(x, -1000.0), 1000.0) + _ROUNDING  # its last bits are the whole number
    rest = (min(max(x, -1000.0), 1000.0) - (rounded - _ROUNDING)) * _LN2
    series = 1 / 6227020800
    series = series * rest + 1 / 479001600
    series = series * rest + 1 / 39916800
    series = series * rest + 1 / 3628800
    series = series * rest + 1 / 362880
    series = series * rest + 1 / 40320
    series = series * rest + 1 / 5040
    series = series * rest + 1 / 720
    series = series * rest + 1 / 120
    series = series * rest + 1 / 24
    series = series * rest + 1 / 6
    series = series * rest + 1 / 2
    series = series * rest + 1.0
    series = series * rest + 1.0
    whole = np.float64(rounded).view(np.int64) - np.int64(_ROUNDING_BITS)
    return series * np.int64((whole + np.int64(1023)) << np.int64(52)).view(np.float64)
