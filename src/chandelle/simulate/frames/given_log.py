"""A log of exposures from a file, with all that raw frames need."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from chandelle.core.errors import InputError
from chandelle.instrument.camera import Camera
from chandelle.products.exposures import Exposures
from chandelle.simulate.logs.read_log import read_exposures

_NEEDED = ("exptime_s", "airmass", "seeing_arcsec", "sky_mag")


def given_log(path: Path, camera: Camera, *, survey: str) -> Exposures:
    """Read a log for raw frames.

    Parameters
    ----------
    path : Path
        What `read_exposures` reads.
    camera : Camera
        It has the filters, and the site from whose longitude a night without a number gets one.
    survey : str
        Its name, where there is no column `survey`.

    Returns
    -------
    Exposures
        Every row with exposure time, airmass, seeing, sky and night.

    Raises
    ------
    InputError
        If an exposure lacks one of those, a filter is not of the camera, two would have the same
        raw file, or as `read_exposures`.
    """
    log = read_exposures(path, survey=survey)
    for name in _NEEDED:
        missing = np.flatnonzero(~np.isfinite(log[name]))
        if len(missing):
            raise InputError(
                f"{path}: {log['exposure'][missing[0]]} and {len(missing) - 1} others have no "
                f"{name}; raw frames need {', '.join(_NEEDED)} of every exposure"
            )
    try:
        for band in sorted(set(log["band"].tolist())):
            camera.filter(band)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    micro_days = np.round(1e6 * log["mjd"]).astype(np.int64).tolist()
    names = list(zip(micro_days, log["field"].tolist(), log["band"].tolist(), strict=True))
    if len(set(names)) < len(names):
        row = next(k for k, name in enumerate(names) if name in names[:k])
        raise InputError(
            f"{path}: {log['exposure'][row]} has time, field and band of another exposure, so the "
            "same raw file; leave one of them out"
        )
    # Local midnight of the night N is N and the time since then at Greenwich.
    midnight = (-camera.site.longitude_deg / 360.0) % 1.0
    night = np.round(log["mjd"] - midnight).astype(np.int64)
    night = np.where(log["night"] > 0, log["night"], night)
    place = log.table.column_names.index("night")
    field = log.table.schema.field("night")
    return Exposures(table=log.table.set_column(place, field, pa.array(night)), meta=log.meta)
