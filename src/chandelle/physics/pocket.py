r"""The pocket effect: a charge trap in the serial register of an amplifier, along each row.

The trap holds a charge q, empty at the start of a row. Pixel n, in read order, leaves as

.. math::

    r &= \min\left[c_{max} (q/c_{max})^{\alpha},\ q\right] \\
    k &= \min\left[c_{max} (1 - q/c_{max})^{\alpha} (\max(n, 0)/n_{max})^{\beta},\
         c_{max} - q,\ \max(n, 0)\right] \\
    n_{out} &= n + r - k, \qquad q \leftarrow q - r + k

so that charge is conserved. Rows are independent. The overscan, which brings no charge of its own,
shows what the trap still releases after the last column.

All quantities are in the unit of the pixels. The inverse is one scalar equation a pixel, because q
is known once the pixels before are. A pixel up to n_0, where the trap wants all of it, is taken
whole: it leaves as the same r whatever it was, and no inverse can tell. It is
:math:`n_0 = a^{1/(1 - \beta)}` with :math:`a = c_{max} (1 - q/c_{max})^{\alpha} n_{max}^{-\beta}`:
for an empty trap of the shipped ZTF camera 0.4 to 230 counts (median 15), less as it fills.

References
----------
arXiv:2509.04073 (the effect in the ZTF camera and its model).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chandelle.instrument.ccd import PocketParameters

_NEWTON_STEPS = 4


class Pocket(eqx.Module):
    """Parameters of the trap of one amplifier (`*batch` of several, for `jax.vmap`).

    Parameters
    ----------
    alpha, beta : Array
        Exponents of the charge held (at least 1) and of the pixel (between 0 and 1).
    cmax : Array
        Most charge the trap can hold.
    nmax : Array
        Scale of the pixel.
    """

    alpha: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray)
    cmax: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray)
    beta: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray)
    nmax: Float[Array, "*batch"] = eqx.field(converter=jnp.asarray)

    @classmethod
    def of(cls, parameters: PocketParameters) -> "Pocket":
        """The trap of a quadrant of a camera."""
        return cls(
            alpha=parameters.alpha,
            cmax=parameters.cmax,
            beta=parameters.beta,
            nmax=parameters.nmax,
        )


def _power(base: Float[Array, "*shape"], exponent: Float[Array, ""]) -> Float[Array, "*shape"]:
    """Power of a base where that is positive, else 0; its derivatives are 0 there."""
    is_positive = base > 0
    return jnp.where(is_positive, jnp.exp(exponent * jnp.log(jnp.where(is_positive, base, 1.0))), 0)


def released(charge: Float[Array, "*shape"], pocket: Pocket) -> Float[Array, "*shape"]:
    """Charge that the trap gives to the next pixel.

    Parameters
    ----------
    charge : Array
        Charge in the trap.
    pocket : Pocket
        Its parameters.

    Returns
    -------
    Array
        Between 0 and `charge`.
    """
    return jnp.minimum(pocket.cmax * _power(charge / pocket.cmax, pocket.alpha), charge)


def _appetite(charge: Float[Array, "*shape"], pocket: Pocket) -> Float[Array, "*shape"]:
    """Charge taken from a pixel of n is this times n^beta, before its bounds."""
    room = _power(1.0 - charge / pocket.cmax, pocket.alpha)
    return pocket.cmax * room * _power(1.0 / pocket.nmax, pocket.beta)


def captured(
    pixel: Float[Array, "*shape"], charge: Float[Array, "*shape"], pocket: Pocket
) -> Float[Array, "*shape"]:
    """Charge that the trap takes from a pixel.

    Parameters
    ----------
    pixel : Array
        Charge of the pixel; nothing is taken from a negative one.
    charge : Array
        Charge in the trap.
    pocket : Pocket
        Its parameters.

    Returns
    -------
    Array
        At most the pixel, and at most the room in the trap.
    """
    wanted = _appetite(charge, pocket) * _power(pixel, pocket.beta)
    bound = jnp.minimum(pocket.cmax - charge, jnp.where(pixel > 0, pixel, 0.0))
    return jnp.minimum(wanted, bound)


def _like(pixels: Float[Array, "y x"], pocket: Pocket) -> Pocket:
    """The parameters in the precision of the pixels."""
    return jax.tree.map(lambda leaf: leaf.astype(pixels.dtype), pocket)


def apply_pocket(
    pixels: Float[Array, "y x"], pocket: Pocket, *, n_overscan: int = 0
) -> tuple[Float[Array, "y out"], Float[Array, " y"]]:
    """Pass the rows of a quadrant through its trap.

    Parameters
    ----------
    pixels : Array, shape (y, x)
        Charge of the pixels above the bias, in read order.
    pocket : Pocket
        The trap of the amplifier, in the unit of the pixels.
    n_overscan : int
        Columns read after the last one, without charge of their own.

    Returns
    -------
    pixels : Array, shape (y, x + n_overscan)
        What arrives at the amplifier.
    charge : Array, shape (y,)
        What is left in the trap at the end of each row.

    References
    ----------
    arXiv:2509.04073.

    Examples
    --------
    >>> pocket = Pocket(alpha=1.5, cmax=750.0, beta=0.4, nmax=3e5)
    >>> row, charge = apply_pocket(jnp.asarray([[1000.0, 100.0]]), pocket, n_overscan=1)
    >>> row.round(1), charge.round(1)
    (Array([[923.4,  98.5,  25.2]], dtype=float64), Array([52.9], dtype=float64))
    """
    trap = _like(pixels, pocket)

    def step(charge: Array, pixel: Array) -> tuple[Array, Array]:
        change = released(charge, trap) - captured(pixel, charge, trap)
        return charge - change, pixel + change

    def row(row_pixels: Array) -> tuple[Array, Array]:
        return jax.lax.scan(step, jnp.zeros((), row_pixels.dtype), row_pixels)

    charge, out = jax.vmap(row)(jnp.pad(pixels, ((0, 0), (0, n_overscan))))
    return out, charge


def invert_pocket(
    pixels: Float[Array, "y x"], pocket: Pocket, *, empty: float = 1e-6
) -> tuple[Float[Array, "y x"], Float[Array, " y"]]:
    """Undo `apply_pocket`.

    With q known, :math:`s = n_{out} - r = n - k(n)` is increasing and convex above n_0: four Newton
    steps from a lower bound of its root.

    Parameters
    ----------
    pixels : Array, shape (y, x)
        What arrived at the amplifier, in read order, overscan included.
    pocket : Pocket
        The trap.
    empty : float
        A pixel with s below this brought nothing: it is given back as min(s, 0). Any other gives
        more than n_0, so this must exceed rounding (0.1 in float32), and the read noise where
        there is any.

    Returns
    -------
    pixels : Array, shape (y, x)
        What the pixels held; the overscan comes back as zeros.
    charge : Array, shape (y,)
        What is left in the trap at the end of each row.

    References
    ----------
    arXiv:2509.04073.

    Examples
    --------
    >>> pocket = Pocket(alpha=1.5, cmax=750.0, beta=0.4, nmax=3e5)
    >>> out, _ = apply_pocket(jnp.asarray([[1000.0, 100.0]]), pocket, n_overscan=1)
    >>> invert_pocket(out, pocket)[0][0, :2].round(9)
    Array([1000.,  100.], dtype=float64)
    """
    trap = _like(pixels, pocket)

    def step(charge: Array, pixel: Array) -> tuple[Array, Array]:
        given = released(charge, trap)
        before = _before_capture(pixel - given, charge, trap, empty)
        return charge + before - pixel, before

    def row(row_pixels: Array) -> tuple[Array, Array]:
        return jax.lax.scan(step, jnp.zeros((), row_pixels.dtype), row_pixels)

    charge, before = jax.vmap(row)(pixels)
    return before, charge


def _before_capture(rest: Array, charge: Array, pocket: Pocket, empty: float) -> Array:
    """The pixel of which the trap left `rest`."""
    is_filled = rest > empty
    left = jnp.where(is_filled, rest, 1.0)
    appetite = _appetite(charge, pocket)
    # The trap takes all of a pixel of n_0, so more than n_0 is left of none that holds less.
    pixel = left + _power(appetite, 1.0 / (1.0 - pocket.beta))
    for _ in range(_NEWTON_STEPS):
        taken = appetite * _power(pixel, pocket.beta)
        excess = pixel - taken - left
        pixel = pixel - excess / (1.0 - pocket.beta * taken / pixel)
    filled = jnp.minimum(pixel, left + pocket.cmax - charge)
    return jnp.where(is_filled, filled, jnp.minimum(rest, 0.0))
