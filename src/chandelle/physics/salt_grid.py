r"""The surfaces of a SALT model and how they are interpolated.

Inside the grid a surface is interpolated by bicubic convolution (Keys 1981, a = -1/2, in units of
the cell), in a cell that is the first or the last in phase or in wavelength bilinearly in both, and
it is zero outside. This is the rule of snfit and sncosmo, kept to the letter because models are
trained and compared with it.

References
----------
R. Keys, 1981, IEEE Trans. ASSP 29, 1153. J. Guy et al., 2007, A&A 466, 11.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

WAVE_B = 4302.57
WAVE_V = 5428.55


class Cell(eqx.Module):
    """Where points lie on one axis, and the weights of the nodes around them.

    `index` are the two nodes before and the two after a point. `cubic` are the weights of the
    convolution, `linear` those of the straight line; `*_slope` their derivatives by the
    coordinate. All are zero outside the axis.
    """

    index: Int[Array, "*shape 4"]
    cubic: Float[Array, "*shape 4"]
    cubic_slope: Float[Array, "*shape 4"]
    linear: Float[Array, "*shape 4"]
    linear_slope: Float[Array, "*shape 4"]
    is_edge: Bool[Array, "*shape"]


def find_cell(nodes: Float[Array, " node"], x: Float[Array, "*shape"]) -> Cell:
    """Find the cell of each point; a point on a node belongs to the cell after it.

    Parameters
    ----------
    nodes : Array, shape (node,)
        Increasing.
    x : Array, shape (*shape)
        The points.

    Returns
    -------
    Cell
        Differentiable by `x`.
    """
    n = len(nodes)
    i = jnp.clip(jnp.searchsorted(nodes, x, side="right") - 1, 0, n - 2)
    step = nodes[i + 1] - nodes[i]
    u = (x - nodes[i]) / step
    inside = ((x >= nodes[0]) & (x <= nodes[-1])).astype(nodes.dtype)
    zero, one = jnp.zeros_like(u), jnp.ones_like(u)
    cubic = [
        -0.5 * u * (1.0 - u) ** 2,
        1.0 + u**2 * (1.5 * u - 2.5),
        u * (0.5 + u * (2.0 - 1.5 * u)),
        0.5 * u**2 * (u - 1.0),
    ]
    slope = [
        -0.5 + u * (2.0 - 1.5 * u),
        u * (4.5 * u - 5.0),
        0.5 + u * (4.0 - 4.5 * u),
        u * (1.5 * u - 1.0),
    ]
    around = jnp.stack([i - 1, i, i + 1, i + 2], axis=-1)
    scale, scale_slope = inside[..., None], (inside / step)[..., None]
    return Cell(
        index=jnp.clip(around, 0, n - 1),
        cubic=jnp.stack(cubic, axis=-1) * scale,
        cubic_slope=jnp.stack(slope, axis=-1) * scale_slope,
        linear=jnp.stack([zero, 1.0 - u, u, zero], axis=-1) * scale,
        linear_slope=jnp.stack([zero, -one, one, zero], axis=-1) * scale_slope,
        is_edge=(i == 0) | (i == n - 2),
    )


class Surface(eqx.Module):
    """Values on a grid of rest-frame phase [day] and wavelength [angstrom]."""

    phase: Float[Array, " phase"]
    wave: Float[Array, " wave"]
    values: Float[Array, "phase wave"]

    def __call__(self, phase: Float[Array, "*shape"], wave: Float[Array, "*shape"]) -> Array:
        """Interpolate at points given by phase and wavelength of one shape."""
        rows, columns = find_cell(self.phase, phase), find_cell(self.wave, wave)
        edge = (rows.is_edge | columns.is_edge)[..., None]
        by_phase = jnp.where(edge, rows.linear, rows.cubic)
        by_wave = jnp.where(edge, columns.linear, columns.cubic)
        around = self.values[rows.index[..., :, None], columns.index[..., None, :]]
        return jnp.sum(by_phase[..., :, None] * around * by_wave[..., None, :], axis=(-2, -1))


class ColorLaw(eqx.Module):
    r"""Color law CL(wavelength): extinction in mag for c = 1, zero at B and -1 at V.

    A polynomial of the reduced wavelength :math:`l = (\lambda - \lambda_B)/(\lambda_V -
    \lambda_B)`, :math:`CL = -l (\alpha + \sum_i a_i l^i)` with :math:`\alpha = 1 - \sum_i a_i`, and
    straight lines with the slopes of its ends outside of [wave_min, wave_max].
    """

    coefficients: Float[Array, " coefficient"]
    wave_min: Float[Array, ""]
    wave_max: Float[Array, ""]

    def __call__(self, wave: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Value at rest-frame wavelengths [angstrom]."""
        reduced = (wave - WAVE_B) / (WAVE_V - WAVE_B)
        low, high = ((end - WAVE_B) / (WAVE_V - WAVE_B) for end in (self.wave_min, self.wave_max))
        inside = jnp.clip(reduced, low, high)
        value, slope = self._polynomial(inside)
        return -(value + slope * (reduced - inside))

    def _polynomial(self, x: Array) -> tuple[Array, Array]:
        alpha = 1.0 - self.coefficients.sum()
        value, slope = jnp.zeros_like(x), jnp.zeros_like(x)
        for i in reversed(range(len(self.coefficients))):
            slope = slope * x + value
            value = value * x + self.coefficients[i]
        slope = slope * x + value
        value = value * x + alpha
        return value * x, slope * x + value


class SaltSurfaces(eqx.Module):
    """The templates and the color law of a SALT model.

    Attributes
    ----------
    phase : Array, shape (phase,), day
    wave : Array, shape (wave,), angstrom
        The grid, in the rest frame.
    templates : Array, shape (wave, phase, 2), erg/s/cm2/angstrom
        M0 and M1 side by side, wavelength first: band integrals gather rows of it.
    color_law : ColorLaw
        Extinction for c = 1.
    """

    phase: Float[Array, " phase"]
    wave: Float[Array, " wave"]
    templates: Float[Array, "wave phase 2"]
    color_law: ColorLaw


def template_flux(
    surfaces: SaltSurfaces, phase: Float[Array, " epoch"], wave: Float[Array, " sample"]
) -> Float[Array, "2 epoch sample"]:
    """Interpolate M0 and M1 on a grid of rest-frame phases and wavelengths.

    Parameters
    ----------
    surfaces : SaltSurfaces
        The model.
    phase : Array, shape (epoch,), day
        Rest-frame phases, in any order.
    wave : Array, shape (sample,), angstrom
        Rest-frame wavelengths, in any order.

    Returns
    -------
    Array, shape (2, epoch, sample), erg/s/cm2/angstrom
        Zero outside the model's grid.
    """
    rows, columns = find_cell(surfaces.phase, phase), find_cell(surfaces.wave, wave)
    edge = rows.is_edge[:, None] | columns.is_edge[None, :]
    cubic = linear = jnp.zeros((2, len(phase), len(wave)), dtype=surfaces.templates.dtype)
    for i in range(4):
        for k in range(4):
            near = surfaces.templates[columns.index[None, :, k], rows.index[:, None, i]]
            near = jnp.moveaxis(near, -1, 0)
            cubic += (rows.cubic[:, None, i] * columns.cubic[None, :, k])[None] * near
            linear += (rows.linear[:, None, i] * columns.linear[None, :, k])[None] * near
    return jnp.where(edge[None], linear, cubic)
