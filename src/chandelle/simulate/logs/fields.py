"""Where a survey points: grids of fields, lists of fields, dithers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.core.typing import ArrayLike

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fields:
    """Centers of fields.

    Attributes
    ----------
    number : array of int, shape (field,)
        Different for each.
    ra, dec : array, shape (field,), deg
        ICRS.
    group : array of str, shape (field,)
        Which programs take them.
    """

    number: NDArray[np.int64]
    ra: Floats
    dec: Floats
    group: NDArray

    def __post_init__(self) -> None:
        shapes = {len(self.number), len(self.ra), len(self.dec), len(self.group)}
        if len(shapes) > 1 or len(self.number) == 0:
            raise InputError(
                "Fields: number, ra, dec and group must have one length of at least 1, got "
                f"{len(self.number)}, {len(self.ra)}, {len(self.dec)}, {len(self.group)}"
            )
        if len(np.unique(self.number)) < len(self.number):
            raise InputError("Fields: numbers must differ; number the groups from other starts")
        if not (np.isfinite(self.ra).all() and (np.abs(self.dec) <= 90.0).all()):
            raise InputError("Fields: ra must be finite and dec within -90..90 deg")

    def __len__(self) -> int:
        return len(self.number)

    def select(self, keep: ArrayLike) -> "Fields":
        """Fields of a mask or of indices; a log of a part of the sky is made of these."""
        keep = np.asarray(keep)
        return Fields(
            number=self.number[keep],
            ra=self.ra[keep],
            dec=self.dec[keep],
            group=self.group[keep],
        )

    def __add__(self, other: "Fields") -> "Fields":
        return Fields(
            number=np.concatenate([self.number, other.number]),
            ra=np.concatenate([self.ra, other.ra]),
            dec=np.concatenate([self.dec, other.dec]),
            group=np.concatenate([self.group, other.group]),
        )


def sky_grid(
    *,
    row_step: float,
    column_step: float,
    dec_shift: float = 0.0,
    ra_shift: float = 0.0,
    first_number: int = 1,
    group: str = "primary",
    dec_range: tuple[float, float] = (-90.0, 90.0),
) -> Fields:
    """Cover the sky with rows of constant declination, from south to north.

    A row has the fewest fields whose distance is at most `column_step` on its edge nearest to
    the equator, where they are farthest apart; so square fields that are a little wider than the
    steps overlap everywhere. With steps of 180/26 and 7.2 deg the rows are those of ZTF, and
    have its numbers of fields to 1 in 39.

    Parameters
    ----------
    row_step, column_step : float, deg
        Between rows; largest between fields of a row.
    dec_shift, ra_shift : float, deg
        Of the whole grid, for a second one between the fields of the first.
    first_number : int
        Number of the first field.
    group : str
        Of all fields.
    dec_range : tuple of float, deg
        Rows with centers in this range.

    Returns
    -------
    Fields
        The grid.

    Raises
    ------
    InputError
        If a step is not positive or no row is in the range.

    Examples
    --------
    >>> grid = sky_grid(row_step=180 / 26, column_step=7.2, dec_shift=0.6)
    >>> [int((grid.dec < south).sum()) for south in (-80, -74, -70)]
    [7, 20, 39]
    """
    if min(row_step, column_step) <= 0:
        raise InputError(f"sky_grid: steps must be positive, got {row_step}, {column_step}")
    rows = np.arange(-90.0 + 0.5 * row_step, 90.0 + row_step, row_step) + dec_shift
    rows = rows[(rows >= max(dec_range[0], -90.0)) & (rows <= min(dec_range[1], 90.0))]
    if not len(rows):
        raise InputError(f"sky_grid: no row of fields within dec {dec_range}; widen the range")
    edge = np.maximum(np.abs(rows) - 0.5 * row_step, 0.0)
    counts = np.ceil(360.0 * np.cos(np.radians(edge)) / column_step).astype(int)
    ra = np.concatenate([(np.arange(n) + 0.5) * 360.0 / n for n in counts])
    dec = np.repeat(rows, counts)
    return Fields(
        number=first_number + np.arange(len(ra)),
        ra=(ra + ra_shift) % 360.0,
        dec=dec,
        group=np.full(len(ra), group),
    )


def dithered(ra: Floats, dec: Floats, uniform: Floats, *, radius: float) -> tuple[Floats, Floats]:
    """Move pointings evenly within a small disk.

    Parameters
    ----------
    ra, dec : array, shape (exposure,), deg
        Centers of the fields.
    uniform : array, shape (exposure, 2)
        Uniform numbers of the exposures.
    radius : float, deg
        Of the disk.

    Returns
    -------
    ra, dec : array, shape (exposure,), deg
        Pointings.
    """
    distance = radius * np.sqrt(uniform[:, 0])
    angle = 2.0 * np.pi * uniform[:, 1]
    return from_tangent(ra, dec, distance * np.sin(angle), distance * np.cos(angle))


def from_tangent(ra: Floats, dec: Floats, xi: Floats, eta: Floats) -> tuple[Floats, Floats]:
    """Directions of places in the tangent planes of pointings (inverse gnomonic projection).

    Parameters
    ----------
    ra, dec : array, deg
        Pointings.
    xi, eta : array, deg
        East and north in the tangent plane.

    Returns
    -------
    ra, dec : array, deg
        ICRS.

    References
    ----------
    M. R. Calabretta and E. W. Greisen, 2002, A&A 395, 1077, section 5.1.3.
    """
    alpha, delta, x, y = np.radians(ra), np.radians(dec), np.radians(xi), np.radians(eta)
    radial = np.cos(delta) - y * np.sin(delta)
    new_dec = np.arctan2(np.sin(delta) + y * np.cos(delta), np.hypot(x, radial))
    return np.degrees(alpha + np.arctan2(x, radial)) % 360.0, np.degrees(new_dec)
