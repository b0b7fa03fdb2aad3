"""The Pantheon+ table and covariance as a Diagram (Scolnic et al. 2022, Brout et al. 2022)."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from chandelle.core.errors import InputError
from chandelle.core.flags import Flag
from chandelle.core.precision import require_x64
from chandelle.numerics.covariance import BlockLowRank
from chandelle.products.diagram import Diagram
from chandelle.products.product import Meta

_TABLE = "Pantheon+SH0ES.dat"
_COVARIANCE = "Pantheon+SH0ES_STAT+SYS.cov"
_NEEDED = ("CID", "IDSURVEY", "zHD", "zHEL", "MU_SH0ES", "IS_CALIBRATOR", "HOST_LOGMASS")
_UNKNOWN_MASS = -9.0
_ROUNDING = 1e-7


def read_pantheonplus(
    release: str | Path,
    *,
    covariance: str | Path | None = None,
    z_hd_min: float = 0.01,
    drop_calibrators: bool = True,
) -> Diagram:
    """Read the released table and its statistical and systematic covariance.

    The distance moduli are the column MU_SH0ES; their zero point does not matter to a fit with a
    free offset. A supernova seen by several surveys has several rows: its name gets the survey's
    number (``"2011fe/51"``).

    Parameters
    ----------
    release : path
        Folder with ``Pantheon+SH0ES.dat`` and ``Pantheon+SH0ES_STAT+SYS.cov`` (or ``.cov.gz``), or
        a table in the format of that one.
    covariance : path, optional
        Covariance (text, or gzipped), if it is not the one beside the table.
    z_hd_min : float
        Only zHD above it.
    drop_calibrators : bool
        Leave hosts with Cepheids out.

    Returns
    -------
    Diagram
        Of origin "published", table and covariance cut together.

    Raises
    ------
    InputError
        If a file or a column is missing, or the two do not fit together.
    """
    require_x64()
    path = Path(release) / _TABLE if Path(release).is_dir() else Path(release)
    if not path.is_file():
        raise InputError(f"{release}: expected {_TABLE}, found none")
    table = pd.read_csv(path, sep=r"\s+")
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise InputError(f"{path}: missing column {', '.join(missing)}")
    dense = _read_covariance(_find_covariance(path.parent, covariance), len(table))
    survey = table["IDSURVEY"].astype(str)
    flags = np.where(table["HOST_LOGMASS"] == _UNKNOWN_MASS, int(Flag.HOST_UNKNOWN), 0)
    columns = {
        "sn": (table["CID"].astype(str) + "/" + survey).to_numpy(dtype=str),
        "z_hel": table["zHEL"].to_numpy(),
        "z_hd": table["zHD"].to_numpy(),
        "mu": table["MU_SH0ES"].to_numpy(),
        "survey": survey.to_numpy(dtype=str),
        "flags": flags,
    }
    facts = {"source": "Pantheon+SH0ES (arXiv:2112.03863, arXiv:2202.04077)"}
    whole = Diagram.from_columns(
        columns,
        meta=Meta(origin="published", provenance=facts),
        covariance=BlockLowRank.from_dense(dense),
    )
    keep = whole["z_hd"] > z_hd_min
    if drop_calibrators:
        keep &= table["IS_CALIBRATOR"].to_numpy() == 0
    return whole.select(keep)


def _find_covariance(folder: Path, given: str | Path | None) -> Path:
    choices = (
        [folder / _COVARIANCE, folder / f"{_COVARIANCE}.gz"] if given is None else [Path(given)]
    )
    for path in choices:
        if path.is_file():
            return path
    raise InputError(f"{' or '.join(map(str, choices))}: expected the covariance, found none")


def _read_covariance(path: Path, n: int) -> np.ndarray:
    """Read a text matrix, its size in the first line."""
    text = path.read_bytes()
    text = gzip.decompress(text) if path.suffix == ".gz" else text
    numbers = np.array(text.split(), dtype=float)
    size = int(numbers[0])
    if size != n or len(numbers) != n * n + 1:
        raise InputError(
            f"{path}: covariance has size {size} and {len(numbers) - 1} numbers, "
            f"the table {n} rows; are they of one release?"
        )
    matrix = numbers[1:].reshape(n, n)
    # The text has 8 decimals: its two halves differ by that.
    if np.abs(matrix - matrix.T).max() > _ROUNDING:
        raise InputError(f"{path}: covariance is not symmetric to {_ROUNDING}")
    return 0.5 * (matrix + matrix.T)
