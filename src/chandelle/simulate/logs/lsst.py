"""A log like that of the LSST: a part of its wide survey, and deep drilling fields."""

import numpy as np

from chandelle.simulate.logs.fields import Fields, sky_grid
from chandelle.simulate.logs.night import Site
from chandelle.simulate.logs.settings import Band, Detector, LogSettings, Program
from chandelle.simulate.logs.weather import Weather

_WIDE = sky_grid(row_step=2.6, column_step=2.6, dec_range=(-45.0, -25.0), group="wide")
_DRILLING = Fields(
    number=np.array([90001, 90002, 90003, 90004]),
    ra=np.array([9.45, 35.57, 52.98, 150.11]),
    dec=np.array([-44.02, -4.82, -28.12, 2.23]),
    group=np.full(4, "drilling"),
)
LSST_FIELDS = _WIDE.select((_WIDE.ra < 75.0) | (_WIDE.ra > 315.0)) + _DRILLING
"""A strip of 2000 deg2 of the wide survey; ELAIS-S1, XMM-LSS, CDFS and COSMOS."""


def _band(letter: str, zp: float, k: float, sky: float) -> Band:
    return Band(
        name=f"lsst{letter}",
        exptime_s=30.0,
        zp_second=zp,
        extinction=k,
        sky_mag=sky,
        instrument_fwhm=0.4,
    )


def _pair(blue: str, red: str, interval_nights: float, moon_limit: float = 1.0) -> Program:
    return Program(
        bands=(f"lsst{blue}", f"lsst{red}"),
        interval_nights=interval_nights,
        group="wide",
        moon_limit=moon_limit,
    )


LSST_LOG = LogSettings(
    survey="LSST",
    first_night=61000,
    # Cerro Pachon.
    site=Site(latitude=-30.2446, longitude=-70.7494),
    detector=Detector(pixel_arcsec=0.2, read_noise=8.8, dark_current=0.2),
    # Zero points of one electron a second with the standard atmosphere, extinctions (kAtm), dark
    # skies: Rubin technical note SMTN-002, throughputs 1.9; the third decimals of the zero points
    # are those of rubin_scheduler. Its limits of read noise and dark current.
    bands=(
        _band("u", 26.524, 0.47, 23.05),
        _band("g", 28.508, 0.21, 22.25),
        _band("r", 28.361, 0.13, 21.20),
        _band("i", 28.171, 0.10, 20.46),
        _band("z", 27.782, 0.07, 19.61),
        _band("y", 26.818, 0.17, 18.60),
    ),
    fields=LSST_FIELDS,
    # Pairs of neighboring bands half an hour apart. Intervals are set so that a field has about
    # 800 visits in ten years; drilling fields, nominally, ten exposures a band every three nights.
    programs=(
        _pair("u", "g", 18.0, moon_limit=0.4),
        _pair("g", "r", 12.0, moon_limit=0.7),
        _pair("r", "i", 8.0),
        _pair("i", "z", 8.0),
        _pair("z", "y", 8.0),
        Program(
            bands=("lsstg", "lsstr", "lssti", "lsstz", "lssty"),
            interval_nights=3.0,
            group="drilling",
            repeats=10,
            block_minutes=6.0,
            moon_limit=0.8,
        ),
    ),
    # Nominal: 0.65 to 0.7 arcsec at 500 nm; 80 % of nights usable.
    weather=Weather(clear_fraction=0.80, season_amplitude=0.10, best_day=10.0, seeing_median=0.67),
    overhead_s=8.0,
    filter_change_s=120.0,
    airmass_limit=1.5,
    sun_limit=-12.0,
    moon_separation=30.0,
    field_width=3.1,
    dither_deg=0.7,
    rotation_deg=80.0,
)
"""8.4 m, 9.6 deg2, u g r i z y: pairs on a strip of the wide survey, and four drilling fields."""
