"""Which exposures see which targets, and where in the focal plane."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.typing import ArrayLike
from chandelle.instrument.camera import Camera
from chandelle.products.exposures import Exposures
from chandelle.simulate.logs.pairs import (
    Places,
    count_shown,
    directions,
    fill_places,
    near_cells,
    pointings_of,
    room_for,
)

Floats = NDArray[np.float64]
_CHUNK_PAIRS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOfView:
    """What a camera sees.

    Attributes
    ----------
    radius : float, deg
        Of a circle about the pointing that holds all of it; below 60.
    contains : callable
        Takes `xi` and `eta` [deg], the place in the tangent plane turned into the focal plane,
        and gives True where there is a detector. A camera with gaps brings its own.
    """

    radius: float
    contains: Callable[[Floats, Floats], NDArray[np.bool_]]

    def __post_init__(self) -> None:
        if not 0.0 < self.radius < 60.0:
            raise InputError(f"FieldOfView: radius must be within 0..60 deg, got {self.radius}")


def rectangle(width: float, height: float) -> FieldOfView:
    """Field of view of a full rectangle in the tangent plane.

    Parameters
    ----------
    width, height : float, deg
        Along xi (east) and eta (north) before rotation.

    Returns
    -------
    FieldOfView
        Borders belong to it.

    Examples
    --------
    >>> view = rectangle(2.0, 1.0)
    >>> view.contains(np.array([0.9, 0.9]), np.array([0.4, 0.6]))
    array([ True, False])
    """

    def contains(xi: Floats, eta: Floats) -> NDArray[np.bool_]:
        return (np.abs(xi) <= 0.5 * width) & (np.abs(eta) <= 0.5 * height)

    # The tangent plane stretches: its half diagonal is a smaller angle.
    return FieldOfView(radius=_angle(0.5 * float(np.hypot(width, height))), contains=contains)


def disk(radius: float) -> FieldOfView:
    """Field of view of a disk, radius in deg on the sky.

    Parameters
    ----------
    radius : float, deg
        Of the disk.

    Returns
    -------
    FieldOfView
        The border belongs to it.
    """
    edge = np.degrees(np.tan(np.radians(radius)))
    return FieldOfView(radius=radius, contains=lambda xi, eta: np.hypot(xi, eta) <= edge)


def camera_view(camera: Camera) -> FieldOfView:
    """Field of view of a camera, its gaps left out.

    Parameters
    ----------
    camera : Camera
        As `load_camera` gives it.

    Returns
    -------
    FieldOfView
        The quadrants.
    """
    corners = camera.corners().reshape(-1, 2)

    def contains(xi: Floats, eta: Floats) -> NDArray[np.bool_]:
        return camera.locate(xi, eta)[0] >= 0

    return FieldOfView(radius=_angle(float(np.hypot(*corners.T).max())), contains=contains)


def _angle(tangent_deg: float) -> float:
    return float(np.degrees(np.arctan(np.radians(tangent_deg)))) + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visits:
    """Pairs of a target and an exposure that sees it.

    Attributes
    ----------
    target, exposure : array of int, shape (pair,)
        Rows of both.
    xi, eta : array, shape (pair,), deg
        Place of the target in the tangent plane of the pointing, east and north, as
        `clouds.cloud_loss` takes it.
    """

    target: NDArray[np.int64]
    exposure: NDArray[np.int64]
    xi: Floats
    eta: Floats

    def __len__(self) -> int:
        return len(self.target)

    def select(self, rows: NDArray) -> "Visits":
        """Pairs of a mask or of indices."""
        return Visits(**{name: getattr(self, name)[rows] for name in self.__slots__})

    @classmethod
    def joined(cls, parts: Sequence["Visits"]) -> "Visits":
        """Pairs of several, one after the other."""
        none_of = np.zeros(0, np.int64)
        return cls(
            target=np.concatenate([none_of, *(part.target for part in parts)]),
            exposure=np.concatenate([none_of, *(part.exposure for part in parts)]),
            xi=np.concatenate([np.zeros(0), *(part.xi for part in parts)]),
            eta=np.concatenate([np.zeros(0), *(part.eta for part in parts)]),
        )


def visits_in_parts(
    exposures: Exposures,
    ra: ArrayLike,
    dec: ArrayLike,
    field_of_view: FieldOfView,
    *,
    start: ArrayLike = -np.inf,
    stop: ArrayLike = np.inf,
) -> Iterator[Visits]:
    """Find the exposures that see each target, some targets at a time.

    Parameters
    ----------
    exposures : Exposures
        The log; a rotation that is missing (NaN) is zero.
    ra, dec : array, shape (target,), deg
        ICRS.
    field_of_view : FieldOfView
        Of the camera.
    start, stop : array, shape (target,), or float, MJD
        First and last time at which a target is to be seen.

    Yields
    ------
    Visits
        Of about 1e6 pairs that are looked at, sorted by target, then exposure.

    Raises
    ------
    InputError
        If a position is not finite.
    """
    ra, dec = np.asarray(ra, float), np.asarray(dec, float)
    if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        bad = int(np.flatnonzero(~(np.isfinite(ra) & np.isfinite(dec)))[0])
        raise InputError(f"visits: target {bad} has no finite position; leave it out")
    if not (len(ra) and len(exposures)):
        return
    chord = 2.0 * np.sin(np.radians(field_of_view.radius) / 2.0) + 1e-12
    pointings = pointings_of(
        exposures["mjd"],
        exposures["ra"],
        exposures["dec"],
        np.nan_to_num(exposures["rotation"]),
        size=0.5 * chord,
    )
    near = near_cells(
        pointings,
        directions(ra, dec),
        np.array(np.broadcast_to(start, ra.shape), float),
        np.array(np.broadcast_to(stop, ra.shape), float),
        chord=chord,
    )
    count = np.zeros(len(ra), np.int64)
    count_shown(pointings, near, count)
    ends = np.cumsum(count)
    first, room = 0, room_for(0)
    while first < len(ra):
        before = ends[first] - count[first]
        last = max(int(np.searchsorted(ends, before + _CHUNK_PAIRS, "right")), first + 1)
        n = int(ends[last - 1] - before)
        if len(room.xi) < n:
            room = room_for(n)
        n = fill_places(pointings, near, first, last, chord, room)
        yield _seen(room, n, field_of_view, len(exposures))
        first = last


def _seen(places: Places, n: int, field_of_view: FieldOfView, n_exposure: int) -> Visits:
    """Those of the first n pairs that are on a detector, sorted."""
    on_detector = field_of_view.contains(places.turned_xi[:n], places.turned_eta[:n])
    rows = np.flatnonzero(on_detector)
    pairs = places.target[rows] * n_exposure + places.exposure[rows]
    rows = rows[np.argsort(pairs)]
    return Visits(
        target=places.target[rows],
        exposure=places.exposure[rows],
        xi=places.xi[rows],
        eta=places.eta[rows],
    )


def visits_of(
    exposures: Exposures, ra: ArrayLike, dec: ArrayLike, field_of_view: FieldOfView
) -> Visits:
    """Find the exposures that see each target.

    Cells of the sky give the pairs within a circle, the footprint in the tangent plane decides.

    Parameters
    ----------
    exposures : Exposures
        The log.
    ra, dec : array, shape (target,), deg
        ICRS.
    field_of_view : FieldOfView
        Of the camera: `rectangle`, `disk`, or one with gaps.

    Returns
    -------
    Visits
        Sorted by target, then exposure: 32 bytes a pair. Where that is too much,
        `visits_in_parts`.

    Raises
    ------
    InputError
        If a position is not finite.
    """
    return Visits.joined(list(visits_in_parts(exposures, ra, dec, field_of_view)))
