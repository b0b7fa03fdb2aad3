"""Logs like those of the deep part of SNLS and of HSC: few fields, long exposures, dark time."""

from dataclasses import replace

import numpy as np

from chandelle.simulate.logs.fields import Fields
from chandelle.simulate.logs.night import Site
from chandelle.simulate.logs.settings import Band, Detector, LogSettings, Program
from chandelle.simulate.logs.weather import Weather

DEEP_FIELDS = Fields(
    number=np.array([1, 2, 3, 4]),
    ra=np.array([36.500, 150.119, 214.867, 333.882]),
    dec=np.array([-4.500, 2.206, 52.678, -17.735]),
    group=np.full(4, "primary"),
)
"""D1 to D4 of the CFHT Legacy Survey; D1 and D2 (COSMOS) are also the deep fields of HSC."""


def _band(
    letter: str,
    exptime_s: float,
    zp: float,
    k: float,
    sky: float,
    reads: int,
    noise_factor: float,
) -> Band:
    return Band(
        name=f"lsst{letter}",
        exptime_s=exptime_s,
        zp_second=zp,
        extinction=k,
        sky_mag=sky,
        noise_factor=noise_factor,
        instrument_fwhm=0.4,
        reads=reads,
    )


DEEP_LOG = LogSettings(
    survey="DEEP",
    first_night=52800,
    # Mauna Kea.
    site=Site(latitude=19.8255, longitude=-155.4694),
    detector=Detector(pixel_arcsec=0.186, read_noise=5.0),
    # A visit of SNLS is a series of exposures, here one row: 5 x 225 s in g, 5 x 300 s in r,
    # 7 x 520 s in i, 10 x 360 s in z (Astier et al. 2006, A&A 447, 31; Sullivan et al. 2011,
    # ApJ 737, 102). Zero points [electron/s]: nominal ones of Elixir for a count a second, in the
    # headers of MegaCam (PHOT_C 26.46, 25.98, 25.74, 24.80, with airmass terms PHOT_K), and 0.52
    # mag for the nominal 1.62 electrons a count. Skies are nominal dark ones of Mauna Kea. Noise
    # factors are set so that median depths are 25.3, 24.9, 24.9, 24.0: less than the photons allow,
    # as subtracted images, masked and averaged, are. LSST passbands stand in.
    bands=(
        _band("g", 1125.0, 26.98, 0.15, 22.0, 5, 1.8),
        _band("r", 1500.0, 26.50, 0.10, 21.3, 5, 1.8),
        _band("i", 3640.0, 26.26, 0.04, 20.3, 7, 1.8),
        _band("z", 3600.0, 25.32, 0.03, 19.4, 10, 1.8),
    ),
    fields=DEEP_FIELDS,
    programs=(
        Program(bands=("lsstr", "lssti"), interval_nights=3.5, block_minutes=26.0, moon_limit=0.75),
        Program(bands=("lsstg",), interval_nights=3.5, block_minutes=20.0, moon_limit=0.5),
        Program(bands=("lsstz",), interval_nights=3.5, block_minutes=61.0, moon_limit=0.9),
    ),
    weather=Weather(clear_fraction=0.75, season_amplitude=0.08, best_day=200.0, seeing_median=0.65),
    overhead_s=40.0,
    filter_change_s=90.0,
    airmass_limit=1.7,
    sun_limit=-15.0,
    moon_separation=30.0,
    field_width=0.96,
    dither_deg=0.02,
)
"""3.6 m, 1 deg2, g r i z of four fields every 3 to 4 nights while the moon allows."""

HSC_LOG = replace(
    DEEP_LOG,
    survey="HSC",
    first_night=57680,
    detector=Detector(pixel_arcsec=0.168, read_noise=4.5),
    # Median depths of an epoch of the transient survey in COSMOS (ultra-deep): g 26.4, r 26.3,
    # i 26.0, z 25.6, y 24.6 (Yasuda et al. 2019, PASJ 71, 74). Zero points [electron/s] of an 8.2 m
    # and times of a visit are nominal; noise factors are set so that the depths are those.
    bands=(
        _band("g", 1500.0, 29.0, 0.15, 22.0, 5, 2.55),
        _band("r", 1500.0, 29.0, 0.10, 21.3, 5, 1.9),
        _band("i", 2700.0, 28.6, 0.04, 20.3, 9, 1.85),
        _band("z", 3600.0, 27.7, 0.03, 19.4, 12, 1.45),
        _band("y", 3600.0, 27.4, 0.06, 18.4, 12, 2.05),
    ),
    fields=DEEP_FIELDS.select(np.array([1])),
    field_width=1.4,
    programs=(
        Program(bands=("lsstr", "lssti"), interval_nights=7.0, block_minutes=26.0, moon_limit=0.75),
        Program(bands=("lsstg",), interval_nights=14.0, block_minutes=26.0, moon_limit=0.4),
        Program(bands=("lsstz",), interval_nights=7.0, block_minutes=61.0, moon_limit=0.9),
        Program(bands=("lssty",), interval_nights=14.0, block_minutes=61.0, moon_limit=1.0),
    ),
)
"""8.2 m, 1.8 deg2, g r i z y of COSMOS every one to two weeks."""
