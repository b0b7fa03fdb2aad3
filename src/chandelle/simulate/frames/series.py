"""Which frames there are: those of the log, and the calibration series of some of its nights."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chandelle.instrument.camera import Camera
from chandelle.instrument.raw_names import RawKind, RawName
from chandelle.products.exposures import Exposures
from chandelle.simulate.frames.settings import SeriesSettings

_BEFORE_MIDNIGHT_D = 0.31
"""A series begins in the late afternoon: at Palomar after 0 h UTC, on the date of its night."""
_LAMPS = {"ztfg": (2, 3, 4, 5), "ztfr": (7, 8, 9, 10), "ztfi": (11, 12, 13)}
"""Lamps of the flat-field screen of ZTF by passband."""
_FLAT_S = 5.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One exposure of all CCDs.

    Attributes
    ----------
    kind : "object", "bias" or "flat"
    name : str
        Of the exposure.
    night : int, d
        Whole MJD of local midnight.
    start_mjd : float, d
        UTC.
    exptime_s : float, s
    row : int
        In the log; -1 for calibration.
    field : int
        Of the survey; 0 for calibration.
    band : str
        Passband; empty for a bias.
    lamp : int
        Number of the lamp of a flat, 0 for others.
    lamp_wave : float, angstrom
        Its wavelength.
    place : int
        In the series of its kind and lamp, from 0.
    """

    kind: RawKind
    name: str
    night: int
    start_mjd: float
    exptime_s: float
    row: int = -1
    field: int = 0
    band: str = ""
    lamp: int = 0
    lamp_wave: float = 0.0
    place: int = 0

    def path(self, camera: Camera, ccdid: int, *, is_compressed: bool) -> str:
        """Of the raw file of a CCD, in the folder of the survey."""
        return RawName(
            camera=camera.name,
            mjd=self.start_mjd,
            field=self.field,
            code=camera.filter(self.band).code if self.band else "",
            ccdid=ccdid,
            kind=self.kind,
        ).path(is_compressed=is_compressed)


def frames_of(exposures: Exposures, settings: SeriesSettings, camera: Camera) -> list[Frame]:
    """All frames of a survey, in the order in which they are made.

    Calibration first, by night; then the log by band, since the transmission is that of a band.

    Parameters
    ----------
    exposures : Exposures
        The log.
    settings : SeriesSettings
        Of the calibration series.
    camera : Camera
        Site, overhead and numbers of filters.

    Returns
    -------
    list of Frame
        Each of all CCDs.
    """
    found = [
        frame
        for night in calibration_nights(exposures, settings)
        for frame in _series(night, exposures, settings, camera)
    ]
    columns = ("exposure", "mjd", "night", "exptime_s", "band", "field")
    rows = list(zip(*(exposures[name].tolist() for name in columns), strict=True))
    for row in sorted(range(len(rows)), key=lambda k: (rows[k][4], rows[k][1])):
        name, mjd, night, exptime, band, field = rows[row]
        found.append(
            Frame(
                kind="object",
                name=name,
                night=night,
                start_mjd=mjd - 0.5 * exptime / _DAY_S,
                exptime_s=exptime,
                row=row,
                field=field,
                band=band,
            )
        )
    return found


def calibration_nights(exposures: Exposures, settings: SeriesSettings) -> list[int]:
    """Nights with a calibration series: evenly among those with an exposure."""
    nights = np.unique(exposures["night"])
    count = min(settings.nights, len(nights))
    return nights[((np.arange(count) + 0.5) * len(nights) // max(count, 1)).astype(int)].tolist()


def lamps_of(band: str, settings: SeriesSettings, camera: Camera) -> tuple[int, ...]:
    """Numbers of the lamps of a passband."""
    lamps = settings.lamps.get(band) or _LAMPS.get(band)
    return lamps or (camera.filter(band).number,)


def lamp_wavelength(band: str, lamp: int, settings: SeriesSettings, camera: Camera) -> float:
    """Wavelength of a lamp [angstrom]: the lamps of a band divide its transmission evenly."""
    lamps, passband = lamps_of(band, settings, camera), camera.filter(band).load()
    share = np.cumsum(passband.transmission)
    place = (lamps.index(lamp) + 0.5) / len(lamps)
    return float(np.interp(place * share[-1], share, passband.wave))


def _series(
    night: int, exposures: Exposures, settings: SeriesSettings, camera: Camera
) -> Iterator[Frame]:
    """Biases, then flats lamp by lamp."""
    start = night + (-camera.site.longitude_deg / 360.0) % 1.0 - _BEFORE_MIDNIGHT_D
    kinds: list[tuple[RawKind, str, int, int]] = [("bias", "", 0, settings.biases)]
    for band in sorted(set(exposures["band"].tolist())):
        lamps = lamps_of(band, settings, camera)
        kinds.extend(("flat", band, lamp, settings.flats) for lamp in lamps)
    done = 0
    for kind, band, lamp, count in kinds:
        exptime = _FLAT_S if kind == "flat" else 0.0
        for place in range(count):
            of_lamp = f"-{band}-{lamp:02d}" if kind == "flat" else ""
            yield Frame(
                kind=kind,
                name=f"{camera.name}-{night}-{kind}{of_lamp}-{place:03d}",
                night=night,
                start_mjd=start + done * (camera.overhead_s + _FLAT_S) / _DAY_S,
                exptime_s=exptime,
                band=band,
                lamp=lamp,
                lamp_wave=lamp_wavelength(band, lamp, settings, camera) if lamp else 0.0,
                place=place,
            )
            done += 1
