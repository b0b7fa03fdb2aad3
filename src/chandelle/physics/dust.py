r"""Extinction by Milky Way dust: Cardelli 1989, O'Donnell 1994, Fitzpatrick 1999.

.. math:: A(\lambda) = E(B-V)\, R_V\, [a(x) + b(x)/R_V], \qquad x = 1 / \lambda

References
----------
J. Cardelli, G. Clayton, J. Mathis, 1989, ApJ 345, 245 (eqs. 1-5).
J. O'Donnell, 1994, ApJ 422, 158 (eqs. 2-3).
E. Fitzpatrick, 1999, PASP 111, 63 (section 4 and tables 3-4).
"""

from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from chandelle.core.errors import InputError

DustLaw = Literal["f99", "ccm89", "o94"]

# Coefficients in y = x - 1.82 per micron, lowest power first.
_CCM89_A = (1.0, 0.17699, -0.50447, -0.02427, 0.72085, 0.01979, -0.77530, 0.32999)
_CCM89_B = (0.0, 1.41338, 2.28305, 1.07233, -5.38434, -0.62251, 5.30260, -2.09002)
_O94_A = (1.0, 0.104, -0.609, 0.701, 1.137, -1.718, -0.827, 1.647, -0.505)
_O94_B = (0.0, 1.952, 2.908, -3.989, -7.985, 11.102, 5.491, -10.805, 3.347)
_FAR_A = (-1.073, -0.628, 0.137, -0.070)
_FAR_B = (13.670, 4.257, -0.420, 0.374)

_UV_KNOTS = (1e4 / 2700.0, 1e4 / 2600.0)
_OPTICAL_KNOTS = (0.0, *(1e4 / w for w in (26500.0, 12200.0, 6000.0, 5470.0, 4670.0, 4110.0)))
_KNOTS = np.array([*_OPTICAL_KNOTS, *_UV_KNOTS])


def _natural_spline(knots: np.ndarray) -> np.ndarray:
    """Matrix from the values at the knots to the second derivatives of their natural spline."""
    n, step = len(knots), np.diff(knots)
    left, right = np.eye(n), np.zeros((n, n))
    for i in range(1, n - 1):
        left[i, i - 1 : i + 2] = step[i - 1] / 6, (step[i - 1] + step[i]) / 3, step[i] / 6
        right[i, i - 1 : i + 2] = 1 / step[i - 1], -1 / step[i - 1] - 1 / step[i], 1 / step[i]
    return np.linalg.solve(left, right)


_CURVATURE = _natural_spline(_KNOTS)


def extinction(
    wave: Float[Array, "*shape"],
    *,
    ebv: Float[Array, ""] | float,
    r_v: Float[Array, ""] | float = 3.1,
    law: str = "f99",
) -> Float[Array, "*shape"]:
    r"""Extinction by dust at rest with the observer.

    Parameters
    ----------
    wave : Array, shape (*shape), angstrom
        Wavelengths, 1000 to 33 000 (ccm89), 910 to 33 000 (o94), 910 to 60 000 (f99).
    ebv : Array or float, mag
        Color excess E(B-V).
    r_v : Array or float
        Total to selective extinction.
    law : {"f99", "ccm89", "o94"}
        Which of the papers above.

    Returns
    -------
    Array, shape (*shape), mag
        The flux is multiplied by 10^(-0.4 A).

    Raises
    ------
    InputError
        For an unknown law.

    Examples
    --------
    >>> round(float(extinction(jnp.asarray(5500.0), ebv=1.0)), 2)
    3.03
    """
    x = 1e4 / wave
    if law == "f99":
        return ebv * _f99(x, jnp.asarray(r_v, dtype=x.dtype))
    if law == "ccm89":
        return ebv * _cardelli(x, r_v, _CCM89_A, _CCM89_B)
    if law == "o94":
        return ebv * _cardelli(x, r_v, _O94_A, _O94_B)
    raise InputError(f"dust law must be one of {', '.join(get_args(DustLaw))}, got {law!r}")


def _polynomial(coefficients: tuple[float, ...], y: Array) -> Array:
    value = jnp.zeros_like(y)
    for coefficient in reversed(coefficients):
        value = value * y + coefficient
    return value


def _cardelli(
    x: Array, r_v: Array | float, optical_a: tuple[float, ...], optical_b: tuple[float, ...]
) -> Array:
    """Extinction per E(B-V) at inverse wavelength x [1/micron]."""
    infrared = x**1.61
    y = x - 1.82
    bump = jnp.maximum(x - 5.9, 0.0)
    uv_a = 1.752 - 0.316 * x - 0.104 / ((x - 4.67) ** 2 + 0.341)
    uv_b = -3.090 + 1.825 * x + 1.206 / ((x - 4.62) ** 2 + 0.263)
    uv_a = uv_a - 0.04473 * bump**2 - 0.009779 * bump**3
    uv_b = uv_b + 0.2130 * bump**2 + 0.1207 * bump**3
    ranges = [x < 1.1, x < 3.3, x < 8.0]
    choices_a = [0.574 * infrared, _polynomial(optical_a, y), uv_a]
    choices_b = [-0.527 * infrared, _polynomial(optical_b, y), uv_b]
    a = jnp.select(ranges, choices_a, _polynomial(_FAR_A, x - 8.0))
    b = jnp.select(ranges, choices_b, _polynomial(_FAR_B, x - 8.0))
    return a * r_v + b


def _f99_ultraviolet(x: Array, r_v: Array) -> Array:
    """Color excess E(lambda - V) / E(B - V) below 2700 angstrom."""
    c2 = -0.824 + 4.717 / r_v
    c1 = 2.030 - 3.007 * c2
    drude = x**2 / ((x**2 - 4.596**2) ** 2 + (0.99 * x) ** 2)
    far = jnp.maximum(x - 5.9, 0.0)
    return c1 + c2 * x + 3.23 * drude + 0.41 * (0.5392 * far**2 + 0.05644 * far**3)


def _f99_knots(r_v: Array) -> Array:
    """Color excess at the knots of the optical and infrared spline."""
    optical = [
        -0.422809 + 1.00270 * r_v + 2.13572e-4 * r_v**2,
        -5.13540e-2 + 1.00216 * r_v - 7.35778e-5 * r_v**2,
        0.700127 + 1.00184 * r_v - 3.32598e-5 * r_v**2,
        1.19456 + 1.01707 * r_v - 5.46959e-3 * r_v**2 + 7.97809e-4 * r_v**3 - 4.45636e-5 * r_v**4,
    ]
    values = [jnp.zeros_like(r_v), 0.26469 * r_v / 3.1, 0.82925 * r_v / 3.1, *optical]
    ultraviolet = _f99_ultraviolet(jnp.asarray(_UV_KNOTS, dtype=r_v.dtype), r_v)
    return jnp.concatenate([jnp.stack(values) - r_v, ultraviolet])


def _f99(x: Array, r_v: Array) -> Array:
    """Extinction per E(B-V) at inverse wavelength x [1/micron]."""
    knots = jnp.asarray(_KNOTS, dtype=x.dtype)
    value = _f99_knots(r_v)
    curvature = jnp.asarray(_CURVATURE, dtype=x.dtype) @ value
    i = jnp.clip(jnp.searchsorted(knots, x, side="right") - 1, 0, len(_KNOTS) - 2)
    step = knots[i + 1] - knots[i]
    right = (x - knots[i]) / step
    left = 1.0 - right
    bend = (left**3 - left) * curvature[i] + (right**3 - right) * curvature[i + 1]
    spline = left * value[i] + right * value[i + 1] + bend * step**2 / 6.0
    return r_v + jnp.where(x > _UV_KNOTS[0], _f99_ultraviolet(x, r_v), spline)
