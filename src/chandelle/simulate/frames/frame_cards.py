"""What the header of a raw frame says, as the telescope believes it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chandelle.core.rng import key_for
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import Ccd
from chandelle.simulate.frames.deviates import normal
from chandelle.simulate.frames.raw_files import UNKNOWN, Card, exposure_cards, wcs_cards
from chandelle.simulate.frames.series import Frame
from chandelle.simulate.logs.night import Site, altitude, of_date, sidereal_time

_POINTING_ARCSEC = 2.0
_NM = 0.1
"""Nanometers in an angstrom."""


def frame_cards(
    frame: Frame, camera: Camera, ccd: Ccd, row: Mapping[str, Any] | None, *, seed: int
) -> tuple[list[Card], dict[int, list[Card]]]:
    """Cards of a frame of a CCD, and those of its quadrants by qid.

    Parameters
    ----------
    frame : Frame
        Which.
    camera, ccd : Camera, Ccd
        That made it.
    row : mapping, optional
        Of the log, for a frame of the sky; its pointing is written 2 arcsec off, one sigma an axis.
    seed : int
        Root of all random numbers.

    Returns
    -------
    cards : list of Card
        Of the exposure.
    quadrant_cards : dict of int to list of Card
        The first guess of world coordinates; none for a calibration frame.
    """
    chosen = camera.filter(frame.band) if frame.band else None
    facts: dict[str, Any] = {
        "kind": frame.kind,
        "name": frame.name,
        "start_mjd": frame.start_mjd,
        "exptime_s": frame.exptime_s,
        "night": frame.night,
        "filter_name": chosen.name if chosen is not None else "none",
        "filter_number": chosen.number if chosen is not None else 0,
    }
    if frame.kind == "flat":
        facts["lamp"] = (frame.lamp, frame.lamp_wave * _NM)
    if row is None:
        return exposure_cards(camera, ccd, **facts), {}
    ra, dec = believed_pointing(row, seed=seed)
    rotation = float(np.nan_to_num(row["rotation"]))
    azimuth, elevation = _horizontal(row, camera)
    facts |= {
        "field": row["field"],
        "pointing": (ra, dec),
        "rotation": rotation,
        "azimuth": azimuth,
        "elevation": elevation,
        "moon_fraction": UNKNOWN if np.isnan(row["moon_fraction"]) else row["moon_fraction"],
    }
    guesses = {
        quadrant.qid: wcs_cards(ccd, quadrant, ra=ra, dec=dec, rotation=rotation)
        for quadrant in ccd.quadrants
    }
    return exposure_cards(camera, ccd, **facts), guesses


def believed_pointing(row: Mapping[str, Any], *, seed: int) -> tuple[float, float]:
    """Where the telescope believes it points, ra and dec [deg]."""
    off = normal(key_for(seed, "believed", row["exposure"]), "off", shape=2)
    east, north = _POINTING_ARCSEC / 3600.0 * off
    dec = row["dec"]
    return float((row["ra"] + east / np.cos(np.radians(dec))) % 360.0), float(dec + north)


def _horizontal(row: Mapping[str, Any], camera: Camera) -> tuple[float, float]:
    """Azimuth from north through east, and altitude of a pointing [deg]."""
    site = Site(latitude=camera.site.latitude_deg, longitude=camera.site.longitude_deg)
    local = sidereal_time(np.array([row["mjd"]]), site.longitude)
    ra, dec = of_date(np.array([row["ra"]]), np.array([row["dec"]]), row["mjd"])
    height = altitude(ra, dec, local, latitude=site.latitude)
    hour, delta, latitude = (
        np.radians(part) for part in (local - ra, dec, np.array([site.latitude]))
    )
    north = np.sin(delta) * np.cos(latitude) - np.cos(delta) * np.sin(latitude) * np.cos(hour)
    east = -np.cos(delta) * np.sin(hour)
    return float(np.degrees(np.arctan2(east, north))[0] % 360.0), float(height[0])
