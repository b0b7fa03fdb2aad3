"""Names of raw files, as the archive of ZTF has them; other cameras take the same with their own.

``raw/YYYY/MMDD/ffffff/CAMERA_YYYYMMDDffffff_FFFFFF_CODE_cCC_T.fits``: date, fraction of the day,
field, code of the filter ("bi" of a bias), CCD, and o, b, d or f for object, bias, dark and flat.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from chandelle.core.errors import InputError

RawKind = Literal["object", "bias", "flat", "dark"]
"""Kinds of raw frames, as IMGTYPE says."""
_LETTERS: dict[RawKind, str] = {"object": "o", "bias": "b", "flat": "f", "dark": "d"}
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_BIAS_CODE = "bi"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawName:
    """What the name of a raw file says.

    Attributes
    ----------
    camera : str
        Begins the name.
    mjd : float, d
        UTC, start of the exposure.
    field : int
        0 for bias and flat.
    code : str
        Of the filter; of a bias, any.
    ccdid : int
    kind : "object", "bias", "flat" or "dark"
    """

    camera: str
    mjd: float
    field: int
    code: str
    ccdid: int
    kind: RawKind

    def path(self, *, is_compressed: bool = False) -> str:
        """Path below the root of an archive.

        Parameters
        ----------
        is_compressed : bool
            Whether it ends in ``.fits.fz``.

        Returns
        -------
        str
            With slashes.

        Raises
        ------
        InputError
            If time or numbers do not fit into a name.

        Examples
        --------
        >>> name = RawName(
        ...     camera="ztf", mjd=59116.25, field=651, code="zr", ccdid=13, kind="object"
        ... )
        >>> name.path(is_compressed=True)
        'raw/2020/0924/250000/ztf_20200924250000_000651_zr_c13_o.fits.fz'
        """
        fits = math.isfinite(self.mjd) and 0 <= self.field < 1_000_000 and 0 <= self.ccdid < 1000
        if not fits:
            raise InputError(
                f"raw file: mjd {self.mjd}, field {self.field}, CCD {self.ccdid} do not fit into "
                "a name; expected a finite time, a field below 1e6, a CCD below 1000"
            )
        day, fraction = divmod(round(self.mjd * 1_000_000), 1_000_000)
        date = (_MJD_ZERO + timedelta(days=day)).strftime("%Y%m%d")
        code = _BIAS_CODE if self.kind == "bias" else self.code
        stem = f"{self.camera}_{date}{fraction:06d}_{self.field:06d}_{code}"
        ending = ".fits.fz" if is_compressed else ".fits"
        folder = f"raw/{date[:4]}/{date[4:]}/{fraction:06d}"
        return f"{folder}/{stem}_c{self.ccdid:02d}_{_LETTERS[self.kind]}{ending}"
