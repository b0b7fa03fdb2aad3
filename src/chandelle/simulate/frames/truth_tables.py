"""What stands on the simulated sky: stars and galaxies, each with the truth of what is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.products.product import OneTable
from chandelle.products.schema import Column, Schema, table_from_columns

MAGNITUDE_PREFIX = "mag_"
"""Begins the columns of magnitudes; the name of the passband follows."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class _Magnitudes(OneTable):
    """Objects with a column of AB magnitudes for each passband that was asked for."""

    @property
    def passbands(self) -> tuple[str, ...]:
        """Names of the passbands that it has magnitudes in."""
        names = [name for name in self.table.column_names if name.startswith(MAGNITUDE_PREFIX)]
        return tuple(name.removeprefix(MAGNITUDE_PREFIX) for name in names)

    def magnitudes(self, passband: str) -> NDArray[np.float64]:
        """AB magnitudes in a passband.

        Parameters
        ----------
        passband : str
            One of those that were asked for.

        Returns
        -------
        NDArray, shape (row,), mag
            As drawn; of a variable star, its mean.

        Raises
        ------
        InputError
            If it was not asked for.
        """
        if passband not in self.passbands:
            raise InputError(
                f"{self.schema.name}: no magnitudes in {passband!r}, found "
                f"{', '.join(self.passbands) or 'none'}; draw them with passbands=[{passband!r}]"
            )
        return self[f"{MAGNITUDE_PREFIX}{passband}"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueStars(_Magnitudes):
    """One row a star, with a column ``mag_<passband>`` a passband [AB mag]."""

    schema: ClassVar[Schema] = Schema(
        name="true-stars",
        version=1,
        columns=(
            Column(name="star", type="string", about="name", required=True),
            Column(name="ra", unit="deg", about="ICRS, epoch J2016.0", required=True),
            Column(name="dec", unit="deg", about="ICRS, epoch J2016.0", required=True),
            Column(name="pm_ra_cosdec", unit="mas/yr", about="proper motion eastwards"),
            Column(name="pm_dec", unit="mas/yr", about="proper motion northwards"),
            Column(name="color", unit="mag", about="g - i, SDSS, AB, as observed"),
            Column(name="amplitude", unit="mag", about="half of peak to peak, 0 if constant"),
            Column(name="period_d", unit="d", about="of a variable star, else NaN"),
            Column(name="phase", about="of a variable star at J2016.0, in turns, else NaN"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueGalaxies(_Magnitudes):
    """One row a galaxy, with a column ``mag_<passband>`` a passband [AB mag, total].

    A galaxy is an exponential disk and a de Vaucouleurs bulge with one center and one position
    angle. The radii hold half of the light of each and are those of circles of the same area: the
    half-light ellipse of axis ratio q has the semi-axes R / sqrt(q) and R sqrt(q), as a profile
    that GalSim shears.
    """

    schema: ClassVar[Schema] = Schema(
        name="true-galaxies",
        version=1,
        columns=(
            Column(name="galaxy", type="string", about="name", required=True),
            Column(name="sn", type="string", about="name of its supernova, empty if none"),
            Column(name="ra", unit="deg", about="ICRS, of the center", required=True),
            Column(name="dec", unit="deg", about="ICRS, of the center", required=True),
            Column(name="z", about="heliocentric redshift"),
            Column(name="logmass", about="log10 of the stellar mass in suns"),
            Column(name="bulge_fraction", about="of the light, the same in all passbands"),
            Column(name="bulge_radius_arcsec", unit="arcsec", about="half light, circularized"),
            Column(name="disk_radius_arcsec", unit="arcsec", about="half light, circularized"),
            Column(name="axis_ratio", about="minor to major, of the disk"),
            Column(name="bulge_axis_ratio", about="minor to major, of the bulge"),
            Column(name="position_angle", unit="deg", about="of the major axis, north to east"),
        ),
    )


def table_with_magnitudes(
    columns: Mapping[str, Sequence | np.ndarray], magnitudes: Mapping[str, NDArray[np.float64]]
) -> pa.Table:
    """Make the table of a product from its columns and its magnitudes.

    Parameters
    ----------
    columns : mapping of str to array
        Columns of the schema; text stays text where there is no row.
    magnitudes : mapping of str to NDArray, mag
        By passband.

    Returns
    -------
    pyarrow.Table
        The magnitudes last, with their unit.
    """
    table = table_from_columns(dict(columns))
    for passband, values in magnitudes.items():
        column = Column(name=f"{MAGNITUDE_PREFIX}{passband}", unit="mag", about="AB")
        table = table.append_column(column.field, pa.array(values, type=pa.float64()))
    return table
