"""The truth of frames: what was in each, where and how bright; and of each quadrant of each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyarrow as pa

from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import PocketParameters, Quadrant
from chandelle.products.product import Meta, OneTable
from chandelle.products.schema import Column, Schema

_P = TypeVar("_P", bound="_Parts")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class _Parts(OneTable):
    """A table of what is in frames, written frame by frame."""

    @classmethod
    def of_frame(cls: type[_P], columns: Mapping[str, Any]) -> _P:
        """Make the table of a frame; one without anything has no rows."""
        table = pa.table(dict(columns)) if columns else cls.empty()
        return cls(table=table, meta=Meta(origin="simulated"))

    @classmethod
    def empty(cls) -> pa.Table:
        """A table without rows."""
        return pa.schema([column.field for column in cls.schema.columns]).empty_table()

    @classmethod
    def read_folder(cls: type[_P], folder: Path) -> _P:
        """Read what was written of all frames, in the order of their names."""
        frames = [cls.read(path) for path in sorted(folder.glob("*.parquet"))]
        table = pa.concat_tables([one.table for one in frames]) if frames else cls.empty()
        return cls(table=table, meta=Meta(origin="simulated"))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueSources(_Parts):
    """One row a source and frame: every star, supernova and galaxy whose middle is in it."""

    schema: ClassVar[Schema] = Schema(
        name="true-sources",
        version=1,
        columns=(
            Column(name="source", type="string", about="name of it", required=True),
            Column(name="kind", type="string", about="star, galaxy or sn", required=True),
            Column(name="exposure", type="string", about="name", required=True),
            Column(name="band", type="string", about="name of the passband"),
            Column(name="rcid", type="int64", about="quadrant", required=True),
            Column(name="x", unit="pixel", about="in the quadrant, along the axes of the CCD"),
            Column(name="y", unit="pixel", about="in the quadrant, along the axes of the CCD"),
            Column(name="mag", unit="mag", about="AB, at that time, above the atmosphere"),
            Column(name="color", unit="mag", about="g - i, AB"),
            Column(name="zp", unit="mag", about="AB, source of one electron there, of its color"),
            Column(name="flux", unit="electron", about="before the transmission of the CCD"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueUnits(_Parts):
    """One row a quadrant of a frame: its zero point, its sky, its sharpness, what struck it."""

    schema: ClassVar[Schema] = Schema(
        name="true-units",
        version=1,
        columns=(
            Column(name="exposure", type="string", about="name", required=True),
            Column(name="path", type="string", about="of its raw file", required=True),
            Column(name="kind", type="string", about="object, bias or flat", required=True),
            Column(name="ccdid", type="int64", about="CCD"),
            Column(name="rcid", type="int64", about="quadrant", required=True),
            Column(name="mjd", unit="d", about="UTC, middle of the exposure"),
            Column(name="night", type="int64", unit="d", about="whole MJD of local midnight"),
            Column(name="band", type="string", about="name of the passband"),
            Column(name="zp", unit="mag", about="AB, of one electron, middle of the quadrant"),
            Column(name="cloud_mag", unit="mag", about="lost to clouds, middle of the quadrant"),
            Column(
                name="light",
                unit="electron",
                about="sky or lamp, middle of the quadrant, before the transmission",
            ),
            Column(name="fwhm", unit="pixel", about="in the middle of the quadrant"),
            Column(name="g1", about="reduced shear there, along the axes of the CCD"),
            Column(name="g2", about="reduced shear there, along the axes of the CCD"),
            Column(name="n_cosmic", type="int64", about="cosmic rays"),
            Column(name="n_track", type="int64", about="tracks of satellites across it"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueCosmics(_Parts):
    """One row a cosmic ray and frame."""

    schema: ClassVar[Schema] = Schema(
        name="true-cosmics",
        version=1,
        columns=(
            Column(name="exposure", type="string", about="name", required=True),
            Column(name="rcid", type="int64", about="quadrant", required=True),
            Column(name="x", unit="pixel", about="where it enters, along the axes of the CCD"),
            Column(name="y", unit="pixel", about="where it enters, along the axes of the CCD"),
            Column(name="dx", unit="pixel", about="how far it goes across"),
            Column(name="dy", unit="pixel", about="how far it goes across"),
            Column(name="electrons", unit="electron", about="left, also outside of the quadrant"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueTracks(OneTable):
    """One row a satellite and exposure: cos(angle) xi + sin(angle) eta = offset."""

    schema: ClassVar[Schema] = Schema(
        name="true-tracks",
        version=1,
        columns=(
            Column(name="exposure", type="string", about="name", required=True),
            Column(name="angle_deg", unit="deg", about="of the normal, from xi to eta"),
            Column(name="offset_deg", unit="deg", about="from the pointing"),
            Column(name="electrons_per_arcsec", unit="electron/arcsec", about="light a length"),
            Column(name="width_arcsec", unit="arcsec", about="full width at half maximum"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueDefects(OneTable):
    """One row a dead column or a hot pixel, along the axes of the CCD."""

    schema: ClassVar[Schema] = Schema(
        name="true-defects",
        version=1,
        columns=(
            Column(name="rcid", type="int64", about="quadrant", required=True),
            Column(name="kind", type="string", about="dead_column or hot_pixel", required=True),
            Column(name="x", type="int64", unit="pixel", about="in the quadrant"),
            Column(name="y", type="int64", unit="pixel", about="in the quadrant; -1 of a column"),
            Column(name="current", unit="electron/s", about="of a hot pixel, above the others"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueFluxes(OneTable):
    """One row a supernova and exposure that sees it: its exact flux."""

    schema: ClassVar[Schema] = Schema(
        name="true-fluxes",
        version=1,
        columns=(
            Column(name="sn", type="string", about="name", required=True),
            Column(name="exposure", type="string", about="name", required=True),
            Column(name="mjd", unit="d", about="UTC, middle of the exposure", required=True),
            Column(name="band", type="string", about="name of the passband", required=True),
            Column(name="flux", unit="nJy", about="AB, above the atmosphere", required=True),
            Column(name="color", unit="mag", about="g - i, AB; NaN where it does not shine"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TrueQuadrants(OneTable):
    """One row a quadrant of the camera: its place, how it is read, and what its amplifier does."""

    schema: ClassVar[Schema] = Schema(
        name="true-quadrants",
        version=1,
        columns=(
            Column(name="rcid", type="int64", about="number in the camera", required=True),
            Column(name="ccdid", type="int64", about="CCD", required=True),
            Column(name="qid", type="int64", about="place in the CCD", required=True),
            Column(name="gain", unit="electron/DN"),
            Column(name="read_noise", unit="electron"),
            Column(name="response_a", unit="1/DN2", about="DN_true = x / (A x^2 + B x + 1)"),
            Column(name="response_b", unit="1/DN"),
            Column(name="pocket_alpha", about="NaN where there is no trap"),
            Column(name="pocket_cmax", unit="DN"),
            Column(name="pocket_beta"),
            Column(name="pocket_nmax", unit="DN"),
        ),
    )

    @classmethod
    def of(cls, camera: Camera) -> "TrueQuadrants":
        """Those of a camera; further properties stand in columns of their own names."""
        plain = [part.name for part in fields(Quadrant) if part.name != "pocket"]
        columns: dict[str, Any] = {
            name: [getattr(quadrant, name) for quadrant in camera.quadrants] for name in plain
        }
        for name in (part.name for part in fields(PocketParameters)):
            columns[f"pocket_{name}"] = [
                np.nan if one.pocket is None else getattr(one.pocket, name)
                for one in camera.quadrants
            ]
        return cls.from_columns(columns, meta=Meta(origin="simulated"))
