"""Scatter that depends on wavelength: a few magnitudes drawn at nodes, joined by a smooth curve.

The population draws the nodes; the light curves multiply the rest-frame spectrum by
`10 ** (-0.4 * scatter_curve(wave, nodes))`, the same at all phases. `mb` of the truth is the peak
magnitude without it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from chandelle.simulate.piece import draws, real

SCATTER_NODES = ("scatter_u", "scatter_b", "scatter_v", "scatter_r", "scatter_i")
"""Quantities that `ChromaticScatter` draws [mag]."""
SCATTER_WAVES = (3560.0, 4390.0, 5490.0, 6545.0, 8045.0)
"""Where they stand [angstrom, rest frame]."""

_C11_SIGMA = np.array([0.06, 0.04, 0.05, 0.04, 0.08])
_C11_CORRELATION = np.array(
    [
        [1.0, -0.118516, -0.768635, -0.908202, -0.219447],
        [-0.118516, 1.0, 0.570333, -0.238470, -0.888611],
        [-0.768635, 0.570333, 1.0, 0.530320, -0.399538],
        [-0.908202, -0.238470, 0.530320, 1.0, 0.490134],
        [-0.219447, -0.888611, -0.399538, 0.490134, 1.0],
    ]
)
_C11_SCALE = 1.3


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric root; the matrix is singular to its rounding, which Cholesky refuses."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


C11_COVARIANCE = _C11_SCALE * _C11_CORRELATION * np.outer(_C11_SIGMA, _C11_SIGMA)
"""Covariance of the nodes [mag^2]."""


@draws(*SCATTER_NODES)
class ChromaticScatter(eqx.Module):
    """Correlated magnitudes at the wavelengths of U, B, V, R, I: a piece of five quantities.

    Parameters
    ----------
    root : array, shape (5, 5), mag
        Root of their covariance.

    References
    ----------
    N. Chotard et al., 2011, A&A 529, L4 (C11: the correlations). R. Kessler et al., 2013, ApJ 764,
    48, sect. 3.2 (nodes, widths, and the factor 1.3 that makes up for the curve between them). The
    six decimals are SNANA's, the published two made invertible; its node at 2500 angstrom, which
    is independent, is left out.
    """

    root: Float[Array, "5 5"] = eqx.field(
        converter=real, default_factory=lambda: _square_root(C11_COVARIANCE)
    )

    def __call__(self, *, key: Key[Array, ""]) -> dict[str, Float[Array, ""]]:
        """Draw the magnitudes [mag]."""
        values = self.root @ jax.random.normal(key, (len(SCATTER_NODES),), dtype=float)
        return {name: values[i] for i, name in enumerate(SCATTER_NODES)}


def scatter_curve(
    wave: Float[Array, "*shape"], nodes: Float[Array, " node"]
) -> Float[Array, "*shape"]:
    """Join the magnitudes at the nodes by half waves of a sine, constant beyond the ends.

    Parameters
    ----------
    wave : Array, angstrom
        Rest-frame wavelengths.
    nodes : Array, shape (5,), mag
        In the order of `SCATTER_NODES`.

    Returns
    -------
    Array, mag
        To be added to the magnitude of the spectrum.

    Examples
    --------
    >>> nodes = jnp.asarray([0.1, 0.0, 0.0, 0.0, -0.1])
    >>> scatter_curve(jnp.asarray([2000.0, 3975.0, 9000.0]), nodes).round(3)
    Array([ 0.1 ,  0.05, -0.1 ], dtype=float64)
    """
    waves = jnp.asarray(SCATTER_WAVES)
    inside = jnp.clip(wave, waves[0], waves[-1])
    left = jnp.clip(jnp.searchsorted(waves, inside, side="right") - 1, 0, len(SCATTER_WAVES) - 2)
    phase = (inside - waves[left]) / (waves[left + 1] - waves[left])
    low, high = nodes[left], nodes[left + 1]
    return low + (high - low) * 0.5 * (1.0 - jnp.cos(jnp.pi * phase))
