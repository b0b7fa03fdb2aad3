"""Skies made by hand, and makers of frames that look at them: what stands there is known."""

import numpy as np

from chandelle.products.exposures import Exposures
from chandelle.products.targets import Targets
from chandelle.simulate.frames.bias import BiasSettings
from chandelle.simulate.frames.detector import DetectorSettings
from chandelle.simulate.frames.expose import FrameMaker
from chandelle.simulate.frames.series import frames_of
from chandelle.simulate.frames.settings import FrameSettings
from chandelle.simulate.frames.sky import COLOR_BANDS, Sky
from chandelle.simulate.frames.strikes import CosmicRaySettings
from chandelle.simulate.frames.truth_tables import TrueGalaxies, TrueStars, table_with_magnitudes
from chandelle.simulate.frames.unit_tables import TrueFluxes
from chandelle.simulate.truth import Truth

NO_BIAS = BiasSettings(slope_dn=0, column_dn=0, frame_dn=0, warmup_dn=0)
PLAIN = DetectorSettings(
    pocket=False,
    response=False,
    dead_columns=0.0,
    hot_pixels=0.0,
    cosmic_rays=CosmicRaySettings(rate_per_cm2_s=0.0),
    bias=NO_BIAS,
)
"""A detector with nothing but its noise and its gain."""
SILENT = PLAIN.model_copy(update={"noise": False})


def stars_at(ra, dec, mag, *, band="ztfr", **columns):
    """Stars of one magnitude in one band, which neither move nor vary unless columns say so."""
    n = len(ra)
    values = {
        "star": np.array([f"star{i:06d}" for i in range(n)], dtype=str),
        "ra": np.asarray(ra, float),
        "dec": np.asarray(dec, float),
        "pm_ra_cosdec": np.zeros(n),
        "pm_dec": np.zeros(n),
        "color": np.ones(n),
        "amplitude": np.zeros(n),
        "period_d": np.full(n, np.nan),
        "phase": np.full(n, np.nan),
    } | columns
    return TrueStars(table=table_with_magnitudes(values, {band: np.broadcast_to(mag, n) + 0.0}))


def galaxies_at(ra, dec, mag, *, band="ztfr", **columns):
    """Exponential disks, round and of 2 arcsec unless columns say otherwise."""
    n = len(ra)
    values = {
        "galaxy": np.array([f"galaxy{i}" for i in range(n)], dtype=str),
        "sn": np.full(n, "", dtype=str),
        "ra": np.asarray(ra, float),
        "dec": np.asarray(dec, float),
        "bulge_fraction": np.zeros(n),
        "bulge_radius_arcsec": np.ones(n),
        "disk_radius_arcsec": np.full(n, 2.0),
        "axis_ratio": np.ones(n),
        "bulge_axis_ratio": np.ones(n),
        "position_angle": np.zeros(n),
    } | columns
    shown = {name: np.broadcast_to(mag, n) + 0.0 for name in (band, *COLOR_BANDS)}
    shown[COLOR_BANDS[0]] += 1.0  # g - i = 1, where no color term changes anything
    return TrueGalaxies(table=table_with_magnitudes(values, shown))


def exposures_at(ra, dec, *, band="ztfr", **columns):
    """Exposures of one pointing each: dark sky, 2 arcsec, zero point 28 unless columns differ."""
    n = len(ra)
    values = {
        "exposure": np.array([f"exposure-{i:03d}" for i in range(n)]),
        "mjd": 58849.3 + 0.001 * np.arange(n),
        "night": np.full(n, 58849),
        "field": np.full(n, 651),
        "ra": np.asarray(ra, float),
        "dec": np.asarray(dec, float),
        "rotation": np.zeros(n),
        "band": np.full(n, band),
        "exptime_s": np.full(n, 30.0),
        "airmass": np.full(n, 1.0),
        "seeing_arcsec": np.full(n, 2.0),
        "sky_mag": np.full(n, 21.0),
        "zp": np.full(n, 28.0),
        "cloud_mag": np.zeros(n),
        "depth": np.full(n, 21.0),
        "moon_fraction": np.full(n, 0.25),
        "moon_altitude": np.full(n, -30.0),
        "sun_altitude": np.full(n, -40.0),
        "survey": np.full(n, "SN"),
    }
    return Exposures.from_columns(values | columns)


def nothing(schema_of):
    """A table of supernovae without any."""
    columns = {
        column.name: np.zeros(0, str if column.type == "string" else float)
        for column in schema_of.schema.columns
        if column.required
    }
    return schema_of.from_columns(columns)


def sky_of(exposures, *, stars=None, galaxies=None):
    """A sky without supernovae."""
    bands = {"band": str(exposures["band"][0])}
    return Sky(
        exposures=exposures,
        targets=nothing(Targets),
        supernovae=nothing(Truth),
        fluxes=nothing(TrueFluxes),
        stars=stars if stars is not None else stars_at([], [], 20.0, **bands),
        galaxies=galaxies if galaxies is not None else galaxies_at([], [], 20.0, **bands),
    )


def maker_of(sky, *, camera="ztf", ccds=(6,), size=None, recenter=True, **settings):
    """A maker of its frames; the optics are flat and the detector plain unless settings differ."""
    flat = {
        "vignetting": 0.0,
        "pixel_scatter": 0.0,
        "shadows": 0,
        "color_term": 0.0,
        "color_airmass": 0.0,
        "distortion": 0.0,
        "sky_gradient": 0.0,
    }
    whole = FrameSettings.of(
        "test",
        **{
            "camera": str(camera),
            "ccds": ccds,
            "quadrant_size": size,
            "recenter": recenter,
            "tracks_per_exposure": 0.0,
            "cadence": {"nights": 1},
            "throughput": flat,
            "detector": PLAIN,
            "series": {"nights": 0},
        }
        | settings,
    )
    return FrameMaker(settings=whole, camera=whole.load_camera(), sky=sky, clouds=None, seed=3)


def frames_made_by(maker):
    """All frames of a maker."""
    return frames_of(maker.sky.exposures, maker.settings.series, maker.camera)


def mosaic(exposed, ccd):
    """Pixels of a CCD in sky order [DN above the bias], from quadrants as stored."""
    found = np.zeros((ccd.n_rows, ccd.n_columns))
    for quadrant in ccd.quadrants:
        science = np.asarray(exposed.readouts[quadrant.qid].science, float) - quadrant.bias_dn
        # Written out here, not by `reorder`.
        science = science[:: quadrant.raw_y, :: quadrant.raw_x]
        rows = slice(quadrant.y0, quadrant.y0 + quadrant.n_rows)
        found[rows, quadrant.x0 : quadrant.x0 + quadrant.n_columns] = science
    return found
