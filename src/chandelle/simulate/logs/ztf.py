"""A log like that of the Zwicky Transient Facility."""

from chandelle.simulate.logs.fields import sky_grid
from chandelle.simulate.logs.night import Site
from chandelle.simulate.logs.settings import Band, Detector, LogSettings, Program
from chandelle.simulate.logs.weather import Weather

_ROW_STEP = 180.0 / 26.0
_COLUMN_STEP = 7.2
_EXPTIME_S = 30.0

ZTF_FIELDS = sky_grid(
    row_step=_ROW_STEP, column_step=_COLUMN_STEP, dec_shift=0.6, dec_range=(-31.0, 90.0)
) + sky_grid(
    row_step=_ROW_STEP,
    column_step=_COLUMN_STEP,
    dec_shift=3.825,
    ra_shift=3.145,
    first_number=1001,
    group="secondary",
    dec_range=(-31.0, 90.0),
)
"""Primary and secondary grid: rows, steps and shifts of the list of fields that ZTF publishes."""

ZTF_LOG = LogSettings(
    survey="ZTF",
    first_night=58200,
    # Palomar, the 48-inch.
    site=Site(latitude=33.3563, longitude=-116.8592),
    # Read noise: Dekany et al. 2020 (PASP 132, 038001), 9 to 10 in headers; 1.012 arcsec likewise.
    detector=Detector(pixel_arcsec=1.012, read_noise=10.0),
    # Zero points: MAGZP of science images, about 26.3 g, 26.3 r, 25.7 i for a count of a 30 s
    # exposure, 6.2 electrons a count. Skies: set so that the median depths are the published
    # 20.8, 20.6, 20.3 (Bellm et al. 2019). Noise factors: those by which the simulations of DR2
    # (Amenouche et al. 2025, A&A 694, A3) raise the noise of the sky. Instrument: set so that the
    # median image is 2.0 arcsec. Extinctions are nominal. There is no floor to the errors: bright
    # epochs of real light curves scatter by 2 to 3 % beyond them (docs/explain/bts.md).
    bands=(
        Band(
            name="ztfg",
            exptime_s=_EXPTIME_S,
            zp_second=24.61,
            extinction=0.20,
            sky_mag=20.95,
            noise_factor=1.23,
            instrument_fwhm=1.6,
        ),
        Band(
            name="ztfr",
            exptime_s=_EXPTIME_S,
            zp_second=24.59,
            extinction=0.11,
            sky_mag=20.2,
            noise_factor=1.17,
            instrument_fwhm=1.55,
        ),
        Band(
            name="ztfi",
            exptime_s=_EXPTIME_S,
            zp_second=23.99,
            extinction=0.06,
            sky_mag=20.1,
            noise_factor=1.20,
            instrument_fwhm=1.55,
        ),
    ),
    fields=ZTF_FIELDS,
    # g and r in one night every 2 nights, i every 4; the secondary grid now and then. The public
    # survey took g and r every 3 nights at first (Bellm et al. 2019, PASP 131, 068003), 2 from
    # late 2020 on; DR2 also has what the partnership took, on a part of the sky. One cadence stands
    # in for all of it: alerts of the public survey have a median of 3 nights, this log 2.
    programs=(
        Program(bands=("ztfg", "ztfr"), interval_nights=2.0),
        Program(bands=("ztfi",), interval_nights=4.0),
        Program(bands=("ztfg", "ztfr"), interval_nights=12.0, group="secondary"),
    ),
    # Palomar, nominal: about 70 % of nights, best in summer and autumn.
    weather=Weather(
        clear_fraction=0.72,
        season_amplitude=0.15,
        best_day=230.0,
        spell_nights=2.5,
        photometric_fraction=0.6,
        seeing_median=1.15,
    ),
    overhead_s=8.66,
    filter_change_s=100.0,
    airmass_limit=2.0,
    sun_limit=-12.0,
    moon_separation=20.0,
    field_width=7.3,
    dither_deg=0.005,
)
"""1.2 m, 47 deg2, g r i: the whole sky above declination -31 every second night."""
