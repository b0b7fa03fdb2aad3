r"""A filter whose passband depends on where on the focal plane the light falls.

The transmission is tabulated at nodes of position and linear between them in each coordinate,

.. math:: T(\lambda, r) = (1 - w)\, T(\lambda, r_i) + w\, T(\lambda, r_{i+1}), \qquad
    w = (r - r_i) / (r_{i+1} - r_i)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError
from chandelle.products.passband import POSITION_MARK, Passband

FloatArray = NDArray[np.float64]
Curve = tuple[FloatArray, FloatArray]
"""Wavelengths [angstrom] and transmission, linear between the samples and zero outside."""

AXES = ("sensor", "radius", "x_fp", "y_fp")
"""Coordinates a passband can depend on: the number of the detector, or places on the focal plane.
They are also the names of the columns that give the position of an epoch."""
CATEGORICAL = "sensor"
_EDGE = 1e-3
"""Fraction of the tabulated range by which a position may lie beyond it: rounding, no more."""
WAVE_STEP = 0.08
"""Most that light may move [angstrom] from one member to the next, see `position_members`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassbandFamily:
    """Passbands of one filter over the focal plane.

    Attributes
    ----------
    name : str
        Of the filter, as the light curves call it.
    axes : tuple of str
        Coordinates of a position, of "sensor", "radius", "x_fp" and "y_fp".
    nodes : tuple of NDArrays, shape (node,) each
        Where the transmission is tabulated, increasing, in `unit`; numbers of detectors.
    wave : NDArray, shape (sample,), angstrom
        Increasing, common to all nodes.
    transmission : NDArray, shape (node, ..., sample)
        Photons counted per photon.
    unit : str
        Of radius, x_fp and y_fp, for whoever reads; columns must be in the same.
    step : float, angstrom
        How finely positions are told apart in light curves, see `position_members`.
    source : str
        Where the curves came from.

    Examples
    --------
    >>> family = PassbandFamily(
    ...     name="g", axes=("radius",), nodes=(np.array([0.0, 10.0]),),
    ...     wave=np.array([4000.0, 5000.0, 6000.0]),
    ...     transmission=np.array([[0.0, 0.8, 0.0], [0.0, 0.6, 0.1]]), unit="cm",
    ... )
    >>> family.at(radius=5.0).transmission.round(2).tolist()
    [0.0, 0.7, 0.05]
    """

    name: str
    axes: tuple[str, ...]
    nodes: tuple[FloatArray, ...]
    wave: FloatArray
    transmission: FloatArray
    unit: str = ""
    step: float = WAVE_STEP
    source: str = ""

    def __post_init__(self) -> None:
        where = f"passbands of {self.name}"
        if POSITION_MARK in self.name or not self.name:
            raise InputError(f"{where}: a filter needs a name, without {POSITION_MARK}")
        if not self.axes or len(set(self.axes)) < len(self.axes) or set(self.axes) - set(AXES):
            raise InputError(
                f"{where}: axes must be some of {', '.join(AXES)}, got {', '.join(self.axes)}"
            )
        shape = (*(len(nodes) for nodes in self.nodes), len(self.wave))
        if len(self.nodes) != len(self.axes) or self.transmission.shape != shape:
            raise InputError(
                f"{where}: transmission must be (*nodes, wave) = {shape} for axes "
                f"{', '.join(self.axes)}, got {self.transmission.shape}"
            )
        for axis, nodes in zip(self.axes, self.nodes, strict=True):
            if len(nodes) < (1 if axis == CATEGORICAL else 2) or not (np.diff(nodes) > 0).all():
                raise InputError(
                    f"{where}: nodes of {axis} must increase and be two or more, got {len(nodes)}"
                )
            if not np.isfinite(nodes).all():
                raise InputError(f"{where}: nodes of {axis} have NaN or infinity")
        if not (np.isfinite(self.step) and self.step > 0):
            raise InputError(f"{where}: step must be positive [angstrom], got {self.step}")
        for row in self.transmission.reshape(-1, len(self.wave)):
            Passband(name=self.name, wave=self.wave, transmission=row)

    @classmethod
    def from_curves(
        cls,
        name: str,
        curves: Mapping[tuple[float, ...], Curve],
        *,
        axes: tuple[str, ...] = ("radius",),
        common: Sequence[Curve] = (),
        unit: str = "",
        step: float = WAVE_STEP,
        source: str = "",
    ) -> "PassbandFamily":
        """Make a family of curves that each have their own wavelengths.

        Parameters
        ----------
        name : str
            Of the filter.
        curves : mapping of position to Curve
            A curve at each point of a grid of positions, keys in the order of `axes`.
        axes : tuple of str
            Coordinates of a position.
        common : sequence of Curve
            Transmissions that multiply all of them: mirror, optics, atmosphere, detector.
        unit, step, source
            As for the class.

        Returns
        -------
        PassbandFamily
            On the union of all wavelengths.

        Raises
        ------
        InputError
            If the grid has a hole, or a curve is no response.
        """
        nodes = tuple(np.unique([place[k] for place in curves]) for k in range(len(axes)))
        places = list(product(*(part.tolist() for part in nodes)))
        missing = [place for place in places if place not in curves]
        if missing:
            raise InputError(
                f"passbands of {name}: the positions must fill a grid in {', '.join(axes)}, "
                f"{len(missing)} points have no curve, first {missing[0]}"
            )
        wave = np.unique(np.concatenate([wave for wave, _ in (*curves.values(), *common)]))
        for its, _ in common:
            # Where one ends abruptly so does the product: no ramp to the next sample of another.
            wave = wave[(wave >= its[0]) & (wave <= its[-1])]
        rows = np.array([np.interp(wave, *curves[place], left=0.0, right=0.0) for place in places])
        for curve in common:
            rows *= np.interp(wave, *curve, left=0.0, right=0.0)
        used = np.flatnonzero(np.any(rows != 0.0, axis=0))
        cut = slice(max(int(used[0]) - 1, 0), int(used[-1]) + 2) if len(used) else slice(None)
        wave, rows = wave[cut], rows[:, cut]
        return cls(
            name=name,
            axes=axes,
            nodes=nodes,
            wave=wave,
            transmission=rows.reshape(*(len(part) for part in nodes), len(wave)),
            unit=unit,
            step=step,
            source=source,
        )

    def at(self, **position: int | float) -> Passband:
        """Passband at a position.

        Parameters
        ----------
        **position : int or float
            A value for each axis, ``at(radius=12.5)``, ``at(sensor=3, radius=80.0)``.

        Returns
        -------
        Passband
            Named after filter and position; its `mean_wave` is the mean wavelength there.

        Raises
        ------
        InputError
            If an axis is missing or the position is not in the table.
        """
        if set(position) != set(self.axes):
            raise InputError(
                f"{self.name}: a position is {', '.join(self.axes)}, got {', '.join(position)}"
            )
        place = np.array([[position[axis] for axis in self.axes]], dtype=float)
        inside = self.clipped(place)[0]
        if np.isnan(inside).any():
            raise InputError(f"{self.name}: {position} is outside of {self.extent()}")
        values = self.transmission
        for axis, nodes, value in zip(self.axes, self.nodes, inside, strict=True):
            if axis == CATEGORICAL:
                values = values[np.searchsorted(nodes, value)]
                continue
            i = int(np.clip(np.searchsorted(nodes, value, side="right") - 1, 0, len(nodes) - 2))
            w = (value - nodes[i]) / (nodes[i + 1] - nodes[i])
            values = (1.0 - w) * values[i] + w * values[i + 1]
        return Passband(
            name=self.name_at(place[0]),
            wave=self.wave,
            transmission=values,
            source=self.source,
        )

    def name_at(self, place: FloatArray) -> str:
        """Name of the passband at a place, shape (axis,): ``"megacam_g@12.5"``."""
        return f"{self.name}{POSITION_MARK}{','.join(f'{value:.6g}' for value in place)}"

    def clipped(self, position: FloatArray) -> FloatArray:
        """Positions within the table.

        Parameters
        ----------
        position : NDArray, shape (obs, axis)
            In the order of `axes`; NaN where unknown.

        Returns
        -------
        NDArray, shape (obs, axis)
            Those beyond the edge by a thousandth of the range or less are put on it; NaN for
            those farther out, of a detector that is not in the table, or unknown.
        """
        inside = np.array(position, dtype=float)
        for k, (axis, nodes) in enumerate(zip(self.axes, self.nodes, strict=True)):
            value = inside[:, k]
            if axis == CATEGORICAL:
                inside[~np.isin(value, nodes), k] = np.nan
                continue
            slack = _EDGE * (nodes[-1] - nodes[0])
            is_out = ~((value >= nodes[0] - slack) & (value <= nodes[-1] + slack))
            inside[:, k] = np.where(is_out, np.nan, np.clip(value, nodes[0], nodes[-1]))
        return inside

    def extent(self) -> str:
        """Say which positions are tabulated."""
        parts = []
        for axis, nodes in zip(self.axes, self.nodes, strict=True):
            unit = f" {self.unit}" if self.unit and axis != CATEGORICAL else ""
            parts.append(f"{axis} {nodes[0]:g} .. {nodes[-1]:g}{unit}")
        return ", ".join(parts)

    def write(self, path: str | Path) -> None:
        """Write as one Parquet table: a row a position and wavelength, as `read` takes it."""
        grid = np.meshgrid(*self.nodes, self.wave, indexing="ij")
        columns = dict(zip((*self.axes, "wave"), (part.ravel() for part in grid), strict=True))
        table = pa.table({**columns, "transmission": self.transmission.ravel()})
        said = {"name": self.name, "unit": self.unit, "step": repr(self.step)}
        table = table.replace_schema_metadata({**said, "source": self.source})
        with atomic_file(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
