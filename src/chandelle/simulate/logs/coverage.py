"""Which exposures see which targets, and where in the focal plane."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from chandelle.core.errors import InputError
from chandelle.core.typing import ArrayLike
from chandelle.instrument.camera import Camera
from chandelle.products.exposures import Exposures

Floats = NDArray[np.float64]
_CHUNK_PAIRS = 4_000_000
_SAMPLE = 64


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


def to_tangent(
    ra: Floats, dec: Floats, center_ra: Floats, center_dec: Floats
) -> tuple[Floats, Floats]:
    r"""Gnomonic projection.

    .. math:: \xi = \frac{\cos\delta \sin\Delta\alpha}{c}, \quad
              \eta = \frac{\cos\delta_0\sin\delta - \sin\delta_0\cos\delta\cos\Delta\alpha}{c},
              \quad c = \sin\delta_0\sin\delta + \cos\delta_0\cos\delta\cos\Delta\alpha

    Parameters
    ----------
    ra, dec, center_ra, center_dec : array, deg
        Targets and pointings, of one shape.

    Returns
    -------
    xi, eta : array, deg
        East and north; targets nearer than 90 deg only.

    References
    ----------
    M. R. Calabretta and E. W. Greisen, 2002, A&A 395, 1077, section 5.1.3.
    """
    turn = np.radians(ra - center_ra)
    delta, center = np.radians(dec), np.radians(center_dec)
    x = np.cos(delta) * np.sin(turn)
    y = np.cos(center) * np.sin(delta) - np.sin(center) * np.cos(delta) * np.cos(turn)
    c = np.sin(center) * np.sin(delta) + np.cos(center) * np.cos(delta) * np.cos(turn)
    return np.degrees(x / c), np.degrees(y / c)


def _vectors(ra: Floats, dec: Floats) -> Floats:
    alpha, delta = np.radians(ra), np.radians(dec)
    return np.column_stack(
        [np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)]
    )


def visits_in_parts(
    exposures: Exposures, ra: ArrayLike, dec: ArrayLike, field_of_view: FieldOfView
) -> Iterator[Visits]:
    """Find the exposures that see each target, some exposures at a time.

    Parameters
    ----------
    exposures : Exposures
        The log; a rotation that is missing (NaN) is zero.
    ra, dec : array, shape (target,), deg
        ICRS.
    field_of_view : FieldOfView
        Of the camera.

    Yields
    ------
    Visits
        Of about 4e6 pairs within the circle, exposures in the order of the log.

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
    tree = KDTree(_vectors(ra, dec))
    centers = exposures["ra"], exposures["dec"]
    rotation = np.radians(np.nan_to_num(exposures["rotation"]))
    pointings = _vectors(*centers)
    chord = 2.0 * np.sin(np.radians(field_of_view.radius) / 2.0) + 1e-12
    first, size = 0, min(_SAMPLE, len(exposures))
    while first < len(exposures):
        rows = slice(first, min(first + size, len(exposures)))
        pairs = KDTree(pointings[rows]).sparse_distance_matrix(tree, chord, output_type="ndarray")
        exposure, target = pairs["i"].astype(np.int64) + first, pairs["j"].astype(np.int64)
        order = np.lexsort((target, exposure))
        exposure, target = exposure[order], target[order]
        xi, eta = to_tangent(ra[target], dec[target], centers[0][exposure], centers[1][exposure])
        cos, sin = np.cos(rotation[exposure]), np.sin(rotation[exposure])
        seen = field_of_view.contains(cos * xi - sin * eta, sin * xi + cos * eta)
        yield Visits(target=target[seen], exposure=exposure[seen], xi=xi[seen], eta=eta[seen])
        first = rows.stop
        size = int(np.clip(size * _CHUNK_PAIRS / max(len(pairs), 1), 1, 16 * size))


def visits_of(
    exposures: Exposures, ra: ArrayLike, dec: ArrayLike, field_of_view: FieldOfView
) -> Visits:
    """Find the exposures that see each target.

    A kd-tree of directions gives the pairs within a circle, the footprint in the tangent plane
    decides.

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
    visits = Visits.joined(list(visits_in_parts(exposures, ra, dec, field_of_view)))
    # Exposures come in order; a stable sort keeps it.
    return visits.select(np.argsort(visits.target, kind="stable"))
