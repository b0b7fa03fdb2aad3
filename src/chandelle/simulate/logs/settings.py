"""What makes the log of a survey: site, bands, weather, fields and programs, as plain values."""

from dataclasses import dataclass, field

import numpy as np

from chandelle.core.errors import InputError
from chandelle.simulate.logs.clouds import Clouds
from chandelle.simulate.logs.fields import Fields
from chandelle.simulate.logs.night import Site
from chandelle.simulate.logs.weather import Weather


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One passband of a survey: throughput, sky, exposure.

    Attributes
    ----------
    name : str
        Of the passband.
    exptime_s : float, s
        Of one exposure.
    zp_second : float, AB mag
        Source of one photo-electron a second at airmass 1, without clouds.
    extinction : float, mag
        Lost an airmass.
    sky_mag : float, AB mag/arcsec2
        Dark sky at zenith: no moon, no twilight.
    noise_factor : float
        Measured over ideal noise of the background: wings of the PSF, subtraction of a reference.
    instrument_fwhm : float, arcsec
        Of optics and pixels, in quadrature with the air.
    reads : int
        Times the camera is read in one exposure.
    """

    name: str
    exptime_s: float
    zp_second: float
    extinction: float
    sky_mag: float
    noise_factor: float = 1.0
    instrument_fwhm: float = 0.0
    reads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """What is needed of the detector for a depth: pixel arcsec, read noise electron."""

    pixel_arcsec: float
    read_noise: float
    dark_current: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A set of bands in which fields are visited together.

    Attributes
    ----------
    bands : tuple of str
        In the order they are taken; a block of fields is taken in one, then in the next.
    interval_nights : float
        Between visits of one field; visits fall on whole nights, so 3.5 alternates 3 and 4.
    group : str
        Which fields (`Fields.group`).
    repeats : int
        Exposures one after the other in each band.
    block_minutes : float
        Length of a block in one band, so about the time between the bands of a pair.
    moon_limit : float
        Not while more of the moon is lit and it is up; 1 never stops.
    """

    bands: tuple[str, ...]
    interval_nights: float
    group: str = "primary"
    repeats: int = 1
    block_minutes: float = 30.0
    moon_limit: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """A survey: where it stands, through what it looks, and how its nights are spent.

    Attributes
    ----------
    survey : str
        Goes into the names of the exposures and into their random keys.
    first_night : int, d
        Whole MJD of the first local midnight.
    site : Site
    detector : Detector
    bands : tuple of Band
    fields : Fields
    programs : tuple of Program
    weather : Weather
    clouds : Clouds
    overhead_s, filter_change_s : float, s
        Between exposures; more before another filter.
    airmass_limit : float
    sun_limit : float, deg
        Nights begin and end at this altitude of the sun.
    moon_separation : float, deg
        Nearest to the moon.
    field_width : float, deg
        Side of the square over which the loss to clouds is averaged.
    dither_deg : float, deg
        Pointings fall evenly into this radius about the field.
    rotation_deg : float, deg
        Rotations fall evenly between minus and plus this angle.
    """

    survey: str
    first_night: int
    site: Site
    detector: Detector
    bands: tuple[Band, ...]
    fields: Fields
    programs: tuple[Program, ...]
    weather: Weather
    clouds: Clouds = field(default_factory=Clouds)
    overhead_s: float
    filter_change_s: float
    airmass_limit: float
    sun_limit: float
    moon_separation: float
    field_width: float
    dither_deg: float = 0.0
    rotation_deg: float = 0.0

    def __post_init__(self) -> None:
        known = {band.name for band in self.bands}
        for program in self.programs:
            missing = sorted(set(program.bands) - known)
            if missing or not program.bands:
                raise InputError(
                    f"{self.survey}: a program takes bands {', '.join(missing) or '(none)'}, "
                    f"the survey has {', '.join(sorted(known))}; add a Band or mend the program"
                )
            if not np.any(self.fields.group == program.group):
                raise InputError(
                    f"{self.survey}: no field of group {program.group!r}, the fields have "
                    f"{', '.join(sorted(set(self.fields.group)))}; mend fields or program"
                )
        if self.airmass_limit <= 1.0:
            raise InputError(
                f"{self.survey}: airmass_limit must exceed 1, got {self.airmass_limit}"
            )
