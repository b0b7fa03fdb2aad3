"""Exposures: when, where and how deep a survey looked."""

from dataclasses import dataclass
from typing import ClassVar

from chandelle.products.product import OneTable
from chandelle.products.schema import Column, Schema


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Exposures(OneTable):
    """One row an exposure of the whole focal plane; unknown values are NaN, never a sentinel."""

    schema: ClassVar[Schema] = Schema(
        name="exposures",
        version=1,
        columns=(
            Column(name="exposure", type="string", about="name", required=True),
            Column(name="mjd", unit="d", about="UTC, middle of the exposure", required=True),
            Column(name="night", type="int64", unit="d", about="whole MJD of local midnight"),
            Column(name="field", type="int64", about="number of the field"),
            Column(name="ra", unit="deg", about="ICRS, field center, dithered", required=True),
            Column(name="dec", unit="deg", about="ICRS, field center, dithered", required=True),
            Column(name="rotation", unit="deg", about="of the focal plane, from north to east"),
            Column(name="band", type="string", about="name of the passband", required=True),
            Column(name="exptime_s", unit="s", about="open shutter"),
            Column(name="airmass", about="of the field center"),
            Column(name="seeing_arcsec", unit="arcsec", about="full width at half maximum"),
            Column(
                name="sky_mag",
                unit="mag/arcsec2",
                about="AB, sky in the calibration of zp: 10^(0.4 (zp - sky_mag)) electrons",
            ),
            Column(
                name="zp",
                unit="mag",
                about="AB, source of one photo-electron in the exposure, clouds included",
                required=True,
            ),
            Column(name="cloud_mag", unit="mag", about="lost to clouds, mean over the field"),
            Column(name="depth", unit="mag", about="AB, point source at 5 sigma", required=True),
            Column(name="moon_fraction", about="lit fraction of the moon"),
            Column(name="moon_altitude", unit="deg", about="of the moon; below 0 it has set"),
            Column(name="sun_altitude", unit="deg"),
            Column(name="survey", type="string", about="who observed"),
        ),
    )
