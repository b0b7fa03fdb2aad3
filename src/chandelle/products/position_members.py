r"""Members of a family of passbands: the few positions that stand for all others.

A fit makes a table a passband and supernova, so epochs at nearly one position share a passband.
How near is counted by how far light moves in wavelength. With :math:`\phi_r(\lambda) \propto
T(\lambda, r) / \lambda` of unit integral, an AB flux is the mean of :math:`g = \lambda^2 F_\lambda`
(up to a constant) under :math:`\phi_r`, and by parts

.. math:: |f_r - f_{r'}| = \left| \int g'(\lambda)\, [\Phi_{r'} - \Phi_r]\, d\lambda \right|
    \le \max |g'| \; W_1, \qquad W_1(r, r') = \int |\Phi_r - \Phi_{r'}|\, d\lambda

with :math:`\Phi` the integral of :math:`\phi`. :math:`W_1` is the change of mean wavelength where
a passband shifts as a whole. Between nodes of the family members are spaced evenly, so many that
:math:`W_1` of neighbors is `PassbandFamily.step` or less; an epoch takes the nearest, at most half
a step away: 1e-5 mag in the median at the default step, and 2e-4 mag at most, for SALT3 spectra in
MegaCam and ZTF filters. The members follow from the family alone, never from the epochs.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandelle.products.passband import Passband
from chandelle.products.passband_family import CATEGORICAL, PassbandFamily

FloatArray = NDArray[np.float64]


class Ladder(NamedTuple):
    """Positions of the members along one axis.

    Attributes
    ----------
    edges : NDArray, shape (member + 1,)
        Between which positions each stands for all; empty for the detector.
    places : NDArray, shape (member,)
        Where its passband is taken, to six digits: the numbers in its name.
    """

    edges: FloatArray
    places: FloatArray


def nearest_members(family: PassbandFamily, position: FloatArray) -> FloatArray:
    """Place of the member that stands for each position.

    Parameters
    ----------
    family : PassbandFamily
        The passbands of a filter.
    position : NDArray, shape (obs, axis)
        In the order of the family's axes.

    Returns
    -------
    NDArray, shape (obs, axis)
        Places of `ladders`; NaN where the position is unknown or outside of the table.
    """
    inside = family.clipped(position)
    out = np.full_like(inside, np.nan)
    is_in = np.isfinite(inside).all(axis=1)
    for k, ladder in enumerate(ladders(family)):
        value = inside[is_in, k]
        index = np.searchsorted(ladder.edges[1:-1], value, side="right")
        out[is_in, k] = ladder.places[index] if len(ladder.edges) else value
    return out


def member(family: PassbandFamily, place: FloatArray) -> Passband:
    """Passband of the member at a place, shape (axis,), under its name."""
    return family.at(**dict(zip(family.axes, place.tolist(), strict=True)))


@lru_cache(maxsize=64)
def ladders(family: PassbandFamily) -> tuple[Ladder, ...]:
    """Members along each axis.

    Parameters
    ----------
    family : PassbandFamily
        The passbands of a filter.

    Returns
    -------
    tuple of Ladder
        One an axis. With two coordinates of place each has half the step, so that a member is
        never more than half a step away.
    """
    cdf, total = _cumulative(family)
    n_place = sum(axis != CATEGORICAL for axis in family.axes)
    found = []
    for k, (axis, nodes) in enumerate(zip(family.axes, family.nodes, strict=True)):
        if axis == CATEGORICAL:
            found.append(Ladder(np.zeros(0), nodes))
            continue
        moves = _moves(np.moveaxis(cdf, k, 0), np.moveaxis(total, k, 0), family.wave)
        counts = np.maximum(np.ceil(moves * n_place / family.step), 1).astype(int)
        edges = [
            np.linspace(low, high, n, endpoint=False)
            for low, high, n in zip(nodes[:-1], nodes[1:], counts, strict=True)
        ]
        edge = np.concatenate([*edges, nodes[-1:]])
        places = [float(f"{middle:.6g}") for middle in 0.5 * (edge[1:] + edge[:-1])]
        found.append(Ladder(edge, np.array(places)))
    return tuple(found)


def _cumulative(family: PassbandFamily) -> tuple[FloatArray, FloatArray]:
    """Integral of phi from the blue to each sample, (*node, sample), and AB flux, (*node,)."""
    photons = family.transmission / family.wave
    pieces = 0.5 * (photons[..., 1:] + photons[..., :-1]) * np.diff(family.wave)
    cdf = np.concatenate([np.zeros((*pieces.shape[:-1], 1)), np.cumsum(pieces, axis=-1)], axis=-1)
    total = cdf[..., -1]
    return cdf / total[..., None], total


def _moves(cdf: FloatArray, total: FloatArray, wave: FloatArray) -> FloatArray:
    """Most that light moves from each node of the first axis to the next [angstrom].

    Within the interval T is linear in position while phi is not: the ratio of the AB fluxes bounds
    how much faster phi goes near one end.
    """
    apart = np.trapezoid(np.abs(np.diff(cdf, axis=0)), wave, axis=-1)
    ratio = total[1:] / total[:-1]
    apart = apart * np.maximum(ratio, 1.0 / ratio)
    return apart.reshape(len(apart), -1).max(axis=1)
