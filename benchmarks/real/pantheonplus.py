"""Four surveys of Pantheon+ against its table, fitted as its authors did with SNANA.

What the release does not say was found in the table itself: NDOF counts the epochs that were
fitted, the errors of x1 tell what was added to those of the photometry, the errors of c what was
added for the Milky Way. docs/explain/measured.md has the numbers.
"""

import tarfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

import chandelle as ch
from chandelle.core.units import LN10_OVER_2P5
from chandelle.products.schema import table_from_columns

PHASE_RANGE, WAVE_RANGE = (-15.0, 45.0), (3000.0, 7000.0)
MB_OFFSET = 0.27 + 10.5057 - 10.635
"""Our AB mB minus that of SNANA [mag]: its x0 carries 0.27 mag, its mB is 10.635 - 2.5 log10 x0."""
FAR_X1, FAR_C = 0.1, 0.015
REASONS = (
    "another minimum in t0",
    "the table counts more epochs",
    "the table counts fewer epochs",
    "along the line of dust, within the error of E(B-V)",
    "flat minimum: less than one sigma of x1",
)
UNEXPLAINED = "not explained"
_DUST_PER_C = 4.1
_PS1_ERROR = {"PS1-g": 0.015, "PS1-r": 0.015, "PS1-i": 0.015}


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One folder of light curves, and what is known of how it was fitted.

    Attributes
    ----------
    archive, kcor : str
        File names below lightcurves/pantheonplus_snana.
    ids : tuple of int
        IDSURVEY in the table.
    left_out : tuple of str
        Bands that were not fitted.
    mag_error : mapping of str to float, mag
        Error added in quadrature to every epoch of a band.
    """

    archive: str
    kcor: str
    ids: tuple[int, ...]
    left_out: tuple[str, ...] = ()
    mag_error: Mapping[str, float] = field(default_factory=dict)


SURVEYS = {
    "Foundation": Survey(
        archive="Foundation_DJ17",
        kcor="kcor_Foundation_v6_1",
        ids=(150,),
        mag_error=_PS1_ERROR,
    ),
    "CSP": Survey(archive="CSPDR3_anthony", kcor="kcor_CSPDR3_v6_1", ids=(5,), left_out=("CSP-u",)),
    "CfA3": Survey(
        archive="CfA3_DJ20",
        kcor="kcor_PS1_CFA_COMBINED_v6_1",
        ids=(63, 64),
        left_out=("CFA3S-U/a", "CFA41-U/f", "CFA41-U/k"),
    ),
    "PS1MD": Survey(
        archive="Pantheon_PS1MD", kcor="kcor_PS1_v6_1", ids=(15,), mag_error=_PS1_ERROR
    ),
}
STEPS = ("as the files are", "table's z, E(B-V)", "without u, U", "0.015 mag in g r i")
"""Settings, each with those before it."""


def unpack_model(data: Path, folder: Path, *, name: str = "salt2-b21_pantheonplus") -> str:
    """Unpack a SALT model of the data folder; returns where its files are."""
    with tarfile.open(data / "models" / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return str(next(folder.rglob("salt2_template_0.dat")).parent)


def read_published(data: Path) -> pd.DataFrame:
    """Read the table of Pantheon+; CID is text."""
    path = data / "sn_distances" / "pantheonplus" / "Pantheon+SH0ES.dat"
    return pd.read_csv(path, sep=r"\s+", dtype={"CID": str})


def read_survey(
    survey: Survey, data: Path, published: pd.DataFrame
) -> tuple[ch.LightCurves, pd.DataFrame, list[str]]:
    """Read the light curves that the table has, and join.

    Parameters
    ----------
    survey : Survey
        Which.
    data : Path
        Folder of the data.
    published : DataFrame
        The whole table.

    Returns
    -------
    lcs : LightCurves
        Of the joined supernovae.
    rows : DataFrame
        Their rows, in the order of the targets, indexed by their names in the files.
    missing : list of str
        Those of the table that the folder does not have.
    """
    folder = data / "lightcurves" / "pantheonplus_snana"
    lcs = ch.read_lightcurves(
        folder / f"{survey.archive}.tar.gz",
        kcor=folder / "kcor" / f"{survey.kcor}.fits.gz",
        origin="published",
    )
    table = published[published["IDSURVEY"].isin(survey.ids)]
    name_of = {name.lower(): name for name in lcs.targets["sn"].tolist()}
    names = table["CID"].str.lower().map(name_of)
    rows = table[names.notna()].set_index(names.dropna().to_numpy())
    lcs = lcs.select_targets(np.isin(lcs.targets["sn"].astype(str), list(rows.index)))
    missing = table["CID"][names.isna()].tolist()
    return lcs, rows.loc[lcs.targets["sn"].tolist()], missing


def with_settings(
    lcs: ch.LightCurves, survey: Survey, rows: pd.DataFrame, *, step: int = 3
) -> ch.LightCurves:
    """Light curves as they were fitted, up to a step of `STEPS`."""
    if step >= 1:
        columns = {name: lcs.targets[name] for name in lcs.targets.table.column_names}
        columns |= {"z_hel": rows["zHEL"].to_numpy(), "mwebv": rows["MWEBV"].to_numpy()}
        lcs = replace(lcs, targets=replace(lcs.targets, table=table_from_columns(columns)))
    if step >= 2:
        lcs = without_bands(lcs, survey.left_out)
    return add_mag_error(lcs, survey.mag_error) if step >= 3 else lcs


def without_bands(lcs: ch.LightCurves, bands: Collection[str]) -> ch.LightCurves:
    """Light curves without the epochs of some bands."""
    return lcs.select(~np.isin(lcs["band"].astype(str), list(bands)))


def add_mag_error(lcs: ch.LightCurves, error: Mapping[str, float]) -> ch.LightCurves:
    """Add an error [mag] in quadrature to the epochs of each band named."""
    bands, index = np.unique(lcs["band"].astype(str), return_inverse=True)
    mag = np.array([error.get(str(band), 0.0) for band in bands])[index]
    columns = {name: lcs[name] for name in lcs.table.column_names}
    columns["flux_err"] = np.hypot(lcs["flux_err"], np.abs(lcs["flux"]) * LN10_OVER_2P5 * mag)
    return replace(lcs, table=table_from_columns(columns))


def fit(lcs: ch.LightCurves, model: str, *, model_cov: bool = True) -> pd.DataFrame:
    """Fit with the window of the release."""
    return ch.fit_salt(
        lcs, model=model, model_cov=model_cov, phase_range=PHASE_RANGE, wave_range=WAVE_RANGE
    ).to_pandas()


def differences(fits: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Ours minus theirs; mB after the constant between the conventions."""
    pairs = {"x1": "x1", "c": "c", "t0": "PKMJD", "chi2": "FITCHI2", "ndof": "NDOF"}
    columns = {f"d{ours}": fits[ours] - rows[theirs] for ours, theirs in pairs.items()}
    columns["dmb"] = fits["mb"] - rows["mB"] - MB_OFFSET
    for ours, theirs in (("x1_err", "x1ERR"), ("c_err", "cERR")):
        columns[ours] = fits[ours] / rows[theirs]
    out = pd.DataFrame(columns)
    out["ndof"], out["mwebv"], out["x1ERR"] = fits["ndof"], rows["MWEBV"], rows["x1ERR"]
    return out[(fits["status"] == "ok") & np.isfinite(fits["x1_err"])]


def scatter(values: pd.Series) -> float:
    """Robust standard deviation: 1.4826 times the median absolute deviation."""
    return float(1.4826 * (values - values.median()).abs().median())


def outliers(table: pd.DataFrame) -> pd.DataFrame:
    """Supernovae far from the table, each with the reason that its row shows."""
    far = table[(table["dx1"].abs() > FAR_X1) | (table["dc"].abs() > FAR_C)].copy()
    on_dust_line = (far["dmb"] - _DUST_PER_C * far["dc"]).abs() < 0.5 * far["dmb"].abs()
    far["reason"] = np.select(
        [
            far["dt0"].abs() > 1.5,
            far["dndof"] < 0,
            far["dndof"] > 0,
            on_dust_line & (far["dmb"].abs() < _DUST_PER_C * far["mwebv"] / 5),
            far["dx1"].abs() < far["x1ERR"],
        ],
        list(REASONS),
        default=UNEXPLAINED,
    )
    return far[["dx1", "dc", "dmb", "dt0", "dchi2", "dndof", "ndof", "reason"]]
