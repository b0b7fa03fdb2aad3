"""Raw files of a CCD in the layout of ZTF, with its keywords.

Extension 0 has the header of the exposure; the science and overscan arrays of the quadrants follow
where the camera file says. Values that a simulation does not have (humidity, pressure) are -9999,
as they often are in the real ones.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from astropy.coordinates import Angle
from astropy.io import fits
from jaxtyping import UInt16

from chandelle.core.atomic import atomic_file
from chandelle.instrument.camera import Camera
from chandelle.instrument.ccd import Ccd, Quadrant

Card = tuple[str, str | int | float | bool, str]
Arrays = Mapping[int, tuple[UInt16[np.ndarray, "y x"], UInt16[np.ndarray, "y overscan"]]]
"""Science and overscan of quadrants by qid, in the order of the file."""
UNKNOWN = -9999.0
_MJD_JD = 2_400_000.5


def exposure_cards(
    camera: Camera,
    ccd: Ccd,
    *,
    kind: str,
    name: str,
    start_mjd: float,
    exptime_s: float,
    night: int,
    filter_name: str,
    filter_number: int,
    field: int = 0,
    pointing: tuple[float, float] | None = None,
    rotation: float = 0.0,
    azimuth: float = UNKNOWN,
    elevation: float = UNKNOWN,
    moon_fraction: float = UNKNOWN,
    lamp: tuple[int, float] | None = None,
) -> list[Card]:
    """Cards of the header of an exposure.

    Parameters
    ----------
    camera, ccd : Camera, Ccd
        Whose frame it is.
    kind, name : str
        Object, bias or flat; name of the exposure.
    start_mjd : float, d
        UTC.
    exptime_s : float, s
        Open shutter.
    night : int, d
        Whole MJD of local midnight; a calibration series has that of the night it is for.
    filter_name, filter_number : str, int
        As headers write them.
    field : int
        Of the survey.
    pointing : tuple of float, deg, optional
        ra and dec, ICRS, as the telescope believes them to be.
    rotation, azimuth, elevation : float, deg
        Of the focal plane; of the telescope.
    moon_fraction : float
        Lit.
    lamp : tuple of int and float, optional
        Number and wavelength [nm] of the lamp of a flat.

    Returns
    -------
    list of Card
        Keyword, value, comment.
    """
    ra, dec = (UNKNOWN, UNKNOWN) if pointing is None else pointing
    tel_ra, tel_dec = "", ""
    if pointing is not None:
        tel_ra = str(Angle(ra, "deg").to_string("hourangle", sep=":", precision=3))
        tel_dec = str(Angle(dec, "deg").to_string("deg", sep=":", precision=2))
    cards: list[Card] = [
        ("ORIGIN", "chandelle simulation", "no light fell on this"),
        ("INSTRUME", camera.name.upper(), "camera"),
        ("EXPID", name, "exposure"),
        ("IMGTYPE", kind, "object, bias or flat"),
        ("EXPTIME", exptime_s, "[s] open shutter"),
        ("OBSJD", start_mjd + _MJD_JD, "[d] UTC, start of exposure"),
        ("OBSMJD", start_mjd, "[d] UTC, start of exposure"),
        ("NIGHT", night, "[d] whole MJD of local midnight"),
        ("FILTER", filter_name, "filter"),
        ("FILTERID", filter_number, "number of the filter"),
        ("FIELDID", field, "field of the survey"),
        ("PROGRMID", 0, "program"),
        ("CCD_ID", ccd.ccdid, "CCD"),
        ("PIXSCALE", camera.pixel_scale_arcsec, "[arcsec/pixel]"),
        ("INST_ROT", rotation, "[deg] of the focal plane, north to east"),
        ("RAD", ra, "[deg] pointing, ICRS"),
        ("DECD", dec, "[deg] pointing, ICRS"),
        ("TELRA", tel_ra, "[h] pointing"),
        ("TELDEC", tel_dec, "[deg] pointing"),
        ("AZIMUTH", azimuth, "[deg] of the telescope"),
        ("ELVATION", elevation, "[deg] of the telescope"),
        ("MOONILLF", moon_fraction, "lit fraction of the moon"),
        (f"CCDTMP{ccd.ccdid:02d}", UNKNOWN, "[K] CCD"),
        ("HUMIDITY", UNKNOWN, "[percent]"),
        ("PRESSURE", UNKNOWN, "[mbar]"),
    ]
    if lamp is not None:
        cards += [
            ("ILUM_LED", lamp[0], "lamp of the flat"),
            ("ILUMWAVE", round(lamp[1], 1), "[nm] of the lamp"),
            ("ILUMPOWR", 1.0, "relative power of the lamp"),
        ]
    return cards


def wcs_cards(
    ccd: Ccd, quadrant: Quadrant, *, ra: float, dec: float, rotation: float
) -> list[Card]:
    """First guess of the world coordinates of a quadrant as stored: tangent, without distortion.

    Parameters
    ----------
    ccd, quadrant : Ccd, Quadrant
        Which.
    ra, dec, rotation : float, deg
        Pointing as the telescope believes it to be.

    Returns
    -------
    list of Card
        Pixels count from 1.
    """
    angle = np.radians(rotation)
    # The focal plane is the tangent plane turned: back to north and east.
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    flips = np.diag([quadrant.raw_x, quadrant.raw_y])
    cd = back @ ccd.jacobian @ flips
    x, y = (float(part[0]) for part in ccd.to_pixel(np.zeros(1), np.zeros(1)))
    x, y = x - quadrant.x0, y - quadrant.y0
    if quadrant.raw_x < 0:
        x = quadrant.n_columns - 1 - x
    if quadrant.raw_y < 0:
        y = quadrant.n_rows - 1 - y
    return [
        ("CTYPE1", "RA---TAN", "nominal, as the telescope points"),
        ("CTYPE2", "DEC--TAN", ""),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("RADESYS", "ICRS", ""),
        ("CRVAL1", ra, "[deg] pointing"),
        ("CRVAL2", dec, "[deg] pointing"),
        ("CRPIX1", x + 1.0, "[pixel] of the pointing"),
        ("CRPIX2", y + 1.0, "[pixel] of the pointing"),
        ("CD1_1", cd[0, 0], "[deg/pixel]"),
        ("CD1_2", cd[0, 1], "[deg/pixel]"),
        ("CD2_1", cd[1, 0], "[deg/pixel]"),
        ("CD2_2", cd[1, 1], "[deg/pixel]"),
    ]


def write_raw(
    path: Path,
    ccd: Ccd,
    arrays: Arrays,
    *,
    cards: Sequence[Card],
    quadrant_cards: Mapping[int, Sequence[Card]] | None = None,
) -> None:
    """Write a raw file, whole or not at all.

    Parameters
    ----------
    path : Path
        A name that ends in ``.fz`` is compressed (RICE).
    ccd : Ccd
        Where its extensions stand.
    arrays : mapping
        Science and overscan by qid, in the order of the file.
    cards : sequence of Card
        Of the exposure.
    quadrant_cards : mapping of int to sequence of Card, optional
        Further ones by qid.
    """
    placed: dict[int, fits.ImageHDU | fits.CompImageHDU] = {}
    make = fits.CompImageHDU if path.suffix == ".fz" else fits.ImageHDU
    for quadrant in ccd.quadrants:
        science, overscan = arrays[quadrant.qid]
        own = [
            *_quadrant_cards(quadrant),
            *(quadrant_cards or {}).get(quadrant.qid, ()),
        ]
        placed[quadrant.science_extension] = make(science, fits.Header(own))
        if quadrant.overscan_extension:
            header = fits.Header(_quadrant_cards(quadrant))
            placed[quadrant.overscan_extension] = make(overscan, header)
    units = [fits.PrimaryHDU(header=fits.Header(list(cards)))]
    with atomic_file(path) as temporary:
        fits.HDUList([*units, *(placed[number] for number in sorted(placed))]).writeto(
            temporary, overwrite=True
        )


def _quadrant_cards(quadrant: Quadrant) -> list[Card]:
    return [
        ("AMP_ID", quadrant.qid, "quadrant of the CCD"),
        ("CCD_ID", quadrant.ccdid, "CCD"),
        ("GAIN", quadrant.gain, "[electron/DN] nominal"),
        ("READNOI", quadrant.read_noise, "[electron] nominal"),
        ("DARKCUR", quadrant.dark_current, "[electron/s] nominal"),
        ("SATURATE", quadrant.saturation_dn, "[DN] above the bias"),
    ]
