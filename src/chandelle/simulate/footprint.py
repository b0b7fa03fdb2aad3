"""Where on the sky: the whole of it, a rectangle, or fields and cones that may overlap.

A footprint is a piece: it draws `ra` and `dec` uniformly on its part of the sphere.
"""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.core.typing import ArrayLike
from chandelle.simulate.piece import draws, uniform
from chandelle.simulate.rate import DEG2_OF_SKY

_DEG = np.pi / 180.0
_AREA_POINTS = 4_000_000
_LEAST_POINTS = 4096
_GOLDEN = (0.7548776662466927, 0.5698402909980532)


@draws("ra", "dec")
class AbstractFootprint(eqx.Module):
    """Part of the sky; coordinates are ICRS in degrees."""

    @property
    @abstractmethod
    def area_deg2(self) -> float:
        """Solid angle [deg2]."""

    @abstractmethod
    def contains(self, ra: Float[Array, " sn"], dec: Float[Array, " sn"]) -> Bool[Array, " sn"]:
        """Whether positions lie inside."""

    @abstractmethod
    def __call__(self, *, key: Key[Array, ""]) -> dict[str, Float[Array, ""]]:
        """Draw a position."""


class Rectangle(AbstractFootprint):
    """Between two right ascensions, eastwards from the first, and two declinations.

    Parameters
    ----------
    ra_min, ra_max : float, deg
        From `ra_min` (0 to 360) eastwards to `ra_max`; 350 to 10 passes through 0.
    dec_min, dec_max : float, deg
        South to north.

    Examples
    --------
    >>> round(Rectangle(0.0, 360.0, -30.0, 90.0).area_deg2, 2)
    30939.72
    >>> Rectangle(350.0, 10.0, -5.0, 5.0).contains(jnp.asarray([5.0, 20.0]), jnp.zeros(2))
    Array([ True, False], dtype=bool)
    """

    ra_min: float
    ra_max: float
    dec_min: float
    dec_max: float

    def __check_init__(self) -> None:
        is_turn = 0.0 <= self.ra_min < 360.0 and 0.0 < self.ra_max <= 360.0
        if not (is_turn and self.ra_min != self.ra_max):
            raise InputError(
                "Rectangle needs 0 <= ra_min < 360 and 0 < ra_max <= 360, not the same, got "
                f"{self.ra_min:g} to {self.ra_max:g} deg; ra_min > ra_max passes through 0"
            )
        if not -90.0 <= self.dec_min < self.dec_max <= 90.0:
            raise InputError(
                "Rectangle needs -90 <= dec_min < dec_max <= 90, got "
                f"{self.dec_min:g} to {self.dec_max:g} deg"
            )

    @property
    def _width(self) -> float:
        width = self.ra_max - self.ra_min
        return width if width > 0 else width + 360.0

    @property
    def area_deg2(self) -> float:
        """Solid angle [deg2], exact."""
        height = np.sin(self.dec_max * _DEG) - np.sin(self.dec_min * _DEG)
        return float(self._width * height / _DEG)

    def contains(self, ra: Float[Array, " sn"], dec: Float[Array, " sn"]) -> Bool[Array, " sn"]:
        """Whether positions lie inside."""
        is_between = (dec >= self.dec_min) & (dec <= self.dec_max)
        return is_between & (jnp.mod(ra - self.ra_min, 360.0) <= self._width)

    def __call__(self, *, key: Key[Array, ""]) -> dict[str, Float[Array, ""]]:
        """Draw a position."""
        key_ra, key_dec = jax.random.split(key)
        low, high = np.sin(self.dec_min * _DEG), np.sin(self.dec_max * _DEG)
        dec = jnp.arcsin(low + (high - low) * uniform(key_dec)) / _DEG
        return {"ra": jnp.mod(self.ra_min + self._width * uniform(key_ra), 360.0), "dec": dec}


def whole_sky() -> Rectangle:
    """Make the footprint of all positions.

    Returns
    -------
    Rectangle
        41 252.96 deg2.
    """
    return Rectangle(0.0, 360.0, -90.0, 90.0)


class _Patch(eqx.Module):
    """Patch about the point (1, 0, 0): a box in longitude and latitude, or a cap.

    A cap holds points of x >= cos_radius, a box those of |longitude| <= half_width and
    |z| <= sin_height.
    """

    cos_radius: Float[Array, "*patch"]
    half_width: Float[Array, "*patch"]
    sin_height: Float[Array, "*patch"]
    is_cap: Bool[Array, "*patch"]

    def holds(self, xyz: Float[Array, "3 *patch"]) -> Bool[Array, "*patch"]:
        x, y, z = xyz
        is_wide = jnp.abs(jnp.arctan2(y, x)) <= self.half_width
        return jnp.where(
            self.is_cap, x >= self.cos_radius, is_wide & (jnp.abs(z) <= self.sin_height)
        )

    def point(
        self, u: Float[Array, "*patch"], v: Float[Array, "*patch"]
    ) -> Float[Array, "3 *patch"]:
        x = self.cos_radius + (1.0 - self.cos_radius) * u
        ring, turn = jnp.sqrt(jnp.maximum(1.0 - x**2, 0.0)), 2.0 * jnp.pi * v
        cap = jnp.stack([x, ring * jnp.cos(turn), ring * jnp.sin(turn)])
        z, lon = self.sin_height * (2.0 * u - 1.0), self.half_width * (2.0 * v - 1.0)
        ring = jnp.sqrt(1.0 - z**2)
        box = jnp.stack([ring * jnp.cos(lon), ring * jnp.sin(lon), z])
        return jnp.where(self.is_cap, cap, box)

    @property
    def area(self) -> Float[Array, "*patch"]:
        cap = 2.0 * jnp.pi * (1.0 - self.cos_radius)
        return jnp.where(self.is_cap, cap, 4.0 * self.half_width * self.sin_height) / _DEG**2


class Patches(AbstractFootprint):
    """Union of fields or cones; what several cover counts once (see `fields` and `cones`).

    Attributes
    ----------
    patch : module
        Their shapes.
    axes : Array, shape (patch, 3, 3)
        Unit vectors towards the center, east and north of each.
    neighbors : Array, shape (patch, neighbor)
        Patches that may overlap each, itself among them; -1 where there is none.
    union_deg2 : float, deg2
        Exact where nothing overlaps, else summed over 4e6 points: to 1e-4.
    """

    patch: _Patch
    axes: Float[Array, "patch 3 3"]
    neighbors: Int[Array, "patch neighbor"]
    union_deg2: float

    @property
    def area_deg2(self) -> float:
        """Solid angle [deg2] of the union."""
        return self.union_deg2

    def contains(self, ra: Float[Array, " sn"], dec: Float[Array, " sn"]) -> Bool[Array, " sn"]:
        """Whether positions lie inside any of the patches."""
        xyz = _unit_vector(ra, dec)

        def step(found: Array, each: tuple[_Patch, Array]) -> tuple[Array, None]:
            patch, axes = each
            return found | jax.vmap(patch.holds, in_axes=1)(axes @ xyz), None

        return jax.lax.scan(step, jnp.zeros(ra.shape, dtype=bool), (self.patch, self.axes))[0]

    def __call__(self, *, key: Key[Array, ""]) -> dict[str, Float[Array, ""]]:
        """Draw a position: a patch by its area, a point in it, kept once for all that hold it."""
        total = jnp.cumsum(self.patch.area)

        def attempt(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            tries, _, _ = state
            u = jax.random.uniform(jax.random.fold_in(key, tries), (4,), dtype=float)
            index = jnp.searchsorted(total, u[0] * total[-1], side="right")
            index = jnp.minimum(index, total.shape[0] - 1)
            patch = jax.tree.map(lambda leaf: leaf[index], self.patch)
            xyz = self.axes[index].T @ patch.point(u[1], u[2])
            return tries + 1, xyz, u[3] * _multiplicity(self, index, xyz) < 1.0

        start = (jnp.zeros((), dtype=jnp.uint32), jnp.zeros(3), jnp.zeros((), dtype=bool))
        x, y, z = jax.lax.while_loop(lambda state: ~state[2], attempt, start)[1]
        dec = jnp.arctan2(z, jnp.hypot(x, y)) / _DEG
        return {"ra": jnp.mod(jnp.arctan2(y, x) / _DEG, 360.0), "dec": dec}


def fields(
    ra: ArrayLike, dec: ArrayLike, *, half_width_deg: ArrayLike, half_height_deg: ArrayLike
) -> Patches:
    """Make the union of rectangular fields of a camera.

    Each spans half its width along the great circle through its center eastwards, half its height
    to both sides of that circle.

    Parameters
    ----------
    ra, dec : array, shape (patch,), deg
        Centers.
    half_width_deg, half_height_deg : float or array, deg
        Between 0 and 90; 3.67 and 3.74 are a ZTF field.

    Returns
    -------
    Patches
        The footprint.

    Raises
    ------
    InputError
        For no field, or one out of range.

    Examples
    --------
    >>> two = fields([10.0, 11.0], [0.0, 0.0], half_width_deg=1.0, half_height_deg=1.0)
    >>> round(two.area_deg2, 2)
    6.0
    """
    ra, dec, width, height = _columns(ra, dec, half_width_deg, half_height_deg, most=90.0)
    corner = np.cos(width * _DEG) * np.cos(height * _DEG)
    return _patches(
        ra,
        dec,
        reach=np.arccos(corner),
        patch=_Patch(
            cos_radius=jnp.asarray(corner),
            half_width=jnp.asarray(width * _DEG),
            sin_height=jnp.asarray(np.sin(height * _DEG)),
            is_cap=jnp.zeros(ra.shape, dtype=bool),
        ),
    )


def cones(ra: ArrayLike, dec: ArrayLike, *, radius_deg: ArrayLike) -> Patches:
    """Make the union of circles on the sky, or one circle.

    Parameters
    ----------
    ra, dec : float or array, shape (patch,), deg
        Centers.
    radius_deg : float or array, deg
        Between 0 and 180.

    Returns
    -------
    Patches
        The footprint.

    Raises
    ------
    InputError
        For no circle, or one out of range.

    Examples
    --------
    >>> round(cones(150.0, 2.2, radius_deg=1.0).area_deg2, 4)
    3.1415
    """
    ra, dec, radius, _ = _columns(ra, dec, radius_deg, radius_deg, most=180.0)
    radius = radius * _DEG
    return _patches(
        ra,
        dec,
        reach=radius,
        patch=_Patch(
            cos_radius=jnp.asarray(np.cos(radius)),
            half_width=jnp.asarray(radius),
            sin_height=jnp.asarray(np.sin(np.minimum(radius, 0.5 * np.pi))),
            is_cap=jnp.ones(ra.shape, dtype=bool),
        ),
    )


def _columns(ra, dec, width, height, *, most: float) -> tuple[np.ndarray, ...]:
    """Bring positions and sizes to one length and check their ranges."""
    require_x64()
    ra, dec, width, height = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(each, dtype=float)) for each in (ra, dec, width, height))
    )
    sizes = np.minimum(width, height) > 0, np.maximum(width, height) <= most
    if not (ra.size and np.all(np.isfinite(ra)) and np.all(np.abs(dec) <= 90.0)):
        raise InputError("a footprint needs one center or more, with finite ra and |dec| <= 90")
    if not all(np.all(each) for each in sizes):
        raise InputError(
            f"sizes of patches must lie in (0, {most:g}] deg, got {np.min((width, height)):g} to "
            f"{np.max((width, height)):g}"
        )
    return ra, dec, width, height


def _patches(ra: np.ndarray, dec: np.ndarray, *, reach: np.ndarray, patch: _Patch) -> Patches:
    """Find which patches overlap, and the area of their union."""
    a, d = ra * _DEG, dec * _DEG
    center = np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=-1)
    axes = np.stack([center, east, np.cross(center, east)], axis=1)
    angle = np.arccos(np.clip(center @ center.T, -1.0, 1.0))
    touches = (angle <= reach[:, None] + reach[None, :]) | np.eye(len(ra), dtype=bool)
    most = int(touches.sum(axis=1).max())
    neighbors = np.full((len(ra), most), -1, dtype=np.int32)
    for i, row in enumerate(touches):
        found = np.flatnonzero(row)
        neighbors[i, : len(found)] = found
    made = Patches(
        patch=patch, axes=jnp.asarray(axes), neighbors=jnp.asarray(neighbors), union_deg2=0.0
    )
    share = np.ones(len(ra))
    if most > 1:
        share = np.asarray(_own_share(made, max(_LEAST_POINTS, _AREA_POINTS // len(ra))))
    area = float(np.sum(share * np.asarray(patch.area)))
    return eqx.tree_at(lambda p: p.union_deg2, made, min(area, DEG2_OF_SKY))


@eqx.filter_jit
def _own_share(patches: Patches, n: int) -> Float[Array, " patch"]:
    """Mean over each patch of one over the number of patches that hold a point."""
    steps = jnp.arange(n, dtype=float) + 0.5
    u, v = (jnp.mod(steps * golden, 1.0) for golden in _GOLDEN)

    def of_patch(index: Array) -> Array:
        patch = jax.tree.map(lambda leaf: leaf[index], patches.patch)
        points = patches.axes[index].T @ jax.vmap(patch.point, out_axes=1)(u, v)
        count = jax.vmap(lambda xyz: _multiplicity(patches, index, xyz), in_axes=1)(points)
        return jnp.mean(1.0 / count)

    return jax.lax.map(of_patch, jnp.arange(patches.axes.shape[0], dtype=jnp.int32))


def _multiplicity(patches: Patches, index: Array, xyz: Float[Array, "3"]) -> Float[Array, ""]:
    """Number of patches that hold a point of patch `index`, at least that one."""
    near = patches.neighbors[index]
    other = jax.tree.map(lambda leaf: leaf[near], patches.patch)
    local = jnp.einsum("nij,j->in", patches.axes[near], xyz)
    is_other = (near >= 0) & (near != index)
    return 1.0 + jnp.sum(jnp.where(is_other & other.holds(local), 1.0, 0.0))


def _unit_vector(ra: Float[Array, " sn"], dec: Float[Array, " sn"]) -> Float[Array, "3 sn"]:
    a, d = ra * _DEG, dec * _DEG
    return jnp.stack([jnp.cos(d) * jnp.cos(a), jnp.cos(d) * jnp.sin(a), jnp.sin(d)])
