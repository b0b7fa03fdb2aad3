"""One supernova from several surveys: found by name and position, and what is done with it."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.spatial import KDTree

from chandelle.core.errors import InputError
from chandelle.lightcurve.ingest.coded import Coded
from chandelle.lightcurve.ingest.tables import Rows
from chandelle.products.targets import Targets

_log = logging.getLogger(__name__)

Duplicates = Literal["error", "keep", "merge"]
"""What to do with a supernova that several surveys observed."""

_PAIR_COLUMNS = ("sn_1", "sn_2", "survey_1", "survey_2", "by", "separation_arcsec", "delta_z")
_PREFIX = re.compile(r"^(sn|at)\s*(?=(19|20)\d\d)", re.IGNORECASE)
_NAMED = 5
_Z_SPREAD = 2e-3


def cross_match(
    targets: Targets | Sequence[Targets], *, radius_arcsec: float = 1.0
) -> pd.DataFrame:
    """Find targets that may be one supernova, by name and by position.

    Names are compared without case, blanks and the prefixes SN and AT. A host may have two
    supernovae within a radius: `delta_z` and the dates tell.

    Parameters
    ----------
    targets : Targets or sequence of Targets
        One set, or several that are compared together.
    radius_arcsec : float
        Largest separation of one supernova in two catalogs.

    Returns
    -------
    DataFrame
        A row a pair: sn_1, sn_2, survey_1, survey_2, by ("name", "position" or "both"),
        separation_arcsec, delta_z (NaN where unknown).

    Raises
    ------
    InputError
        If the radius is not positive.

    Examples
    --------
    >>> targets = Targets.from_columns(
    ...     {"sn": ["SN 2011fe", "2011fe"], "survey": ["CSP", "KAIT"], "z_hel": [0.0008, 0.0008]}
    ... )
    >>> cross_match(targets)[["sn_1", "sn_2", "by"]].values.tolist()
    [['SN 2011fe', '2011fe', 'name']]
    """
    if not radius_arcsec > 0:
        raise InputError(f"radius_arcsec must be positive, got {radius_arcsec}")
    parts = [targets] if isinstance(targets, Targets) else list(targets)
    tables = [part.table for part in parts]
    table = Targets(table=pa.concat_tables(tables, promote_options="default"))
    names = [_PREFIX.sub("", name.strip()).replace(" ", "").lower() for name in table["sn"]]
    position = _unit_vectors(table["ra"], table["dec"])
    by_name = _pairs_of_names(names)
    by_place = _pairs_of_places(position, radius_arcsec)
    pairs = sorted(by_name | by_place)
    if not pairs:
        return pd.DataFrame({name: [] for name in _PAIR_COLUMNS})
    i, j = np.array(pairs, dtype=np.intp).T
    chord = np.linalg.norm(position[i] - position[j], axis=1)
    how = [
        "both"
        if pair in by_name and pair in by_place
        else "name"
        if pair in by_name
        else "position"
        for pair in pairs
    ]
    return pd.DataFrame(
        {
            "sn_1": table["sn"][i],
            "sn_2": table["sn"][j],
            "survey_1": table["survey"][i],
            "survey_2": table["survey"][j],
            "by": how,
            "separation_arcsec": np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1.0))) * 3600,
            "delta_z": table["z_hel"][j] - table["z_hel"][i],
        }
    )


def warn_of_pairs(targets: Targets, *, label: str) -> None:
    """Log how many targets may be one supernova under two names.

    Parameters
    ----------
    targets : Targets
        Those of one set.
    label : str
        What it is called.
    """
    pairs = cross_match(targets)
    if len(pairs):
        first = pairs.iloc[0]
        _log.warning(
            "%s: %d pairs of targets may be one supernova, first %s and %s (by %s); "
            "chandelle.cross_match(lcs.targets) lists them",
            *(label, len(pairs), first["sn_1"], first["sn_2"], first["by"]),
        )


def _unit_vectors(ra: NDArray, dec: NDArray) -> NDArray[np.float64]:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def _pairs_of_names(names: list[str]) -> set[tuple[int, int]]:
    series = pd.Series(names, dtype=object)
    twice = series.loc[series.duplicated(keep=False)]
    rows = {name: same.index.to_list() for name, same in twice.groupby(twice.to_numpy())}
    return {
        (int(a), int(b))
        for name, same in rows.items()
        if name and len(same) > 1
        for k, a in enumerate(same)
        for b in same[k + 1 :]
    }


def _pairs_of_places(position: NDArray[np.float64], radius_arcsec: float) -> set[tuple[int, int]]:
    known = np.flatnonzero(np.isfinite(position).all(axis=1))
    if len(known) < 2:
        return set()
    chord = 2 * np.sin(np.radians(radius_arcsec / 3600) / 2)
    found = KDTree(position[known]).query_pairs(chord, output_type="ndarray")
    return {(int(min(a, b)), int(max(a, b))) for a, b in known[found]}


def settle(
    rows: Rows, targets: Targets | None, policy: str
) -> tuple[Rows, Targets | None, dict[str, Any]]:
    """Apply the policy for supernovae that several surveys observed.

    Parameters
    ----------
    rows : Rows
        Epochs with `sn`, and `survey` where it is known.
    targets : Targets or None
        Perhaps with repeated names.
    policy : {"error", "keep", "merge"}
        "keep" makes a supernova a survey, ``name_survey``; "merge" makes one of all epochs.

    Returns
    -------
    rows, targets
        With unique names.
    facts : dict
        For the provenance: the names that were split or merged.

    Raises
    ------
    InputError
        If there are such supernovae and the policy is "error", or they cannot be told apart.
    """
    if policy not in get_args(Duplicates):
        raise InputError(f"duplicates must be 'error', 'keep' or 'merge', got {policy!r}")
    several = _names_of_several(rows, targets)
    if not several:
        return rows, targets, {}
    shown = ", ".join(_with_surveys(sn, by) for sn, by in list(several.items())[:_NAMED])
    shown += ", ..." if len(several) > _NAMED else ""
    if policy == "error":
        raise InputError(
            f"{rows.label}: {len(several)} supernovae stand twice, {shown}; choose "
            "duplicates='keep' (a light curve a survey, name_survey) or 'merge' (one of all epochs)"
        )
    facts = {"duplicates": {"policy": policy, "names": sorted(several)}}
    if policy == "merge":
        return rows, None if targets is None else _merged(targets, several), facts
    alike = [sn for sn, by in several.items() if len(set(by)) < len(by)]
    if alike or "survey" not in rows.columns:
        raise InputError(
            f"{rows.label}: {(alike or list(several))[0]} stands twice and no survey tells its "
            "light curves apart; give a column survey, or duplicates='merge'"
        )
    return _split(rows, several), None if targets is None else _spread(targets, several), facts


def _with_surveys(sn: str, by: list[str]) -> str:
    """Name a supernova with its surveys, where they are known."""
    known = [survey or "unknown" for survey in by] if any(by) else []
    return f"{sn} ({' and '.join(known)})" if known else sn


def _names_of_several(rows: Rows, targets: Targets | None) -> dict[str, list[str]]:
    """Surveys of each name that stands twice."""
    several: dict[str, list[str]] = {}
    if targets is not None:
        frame = pd.DataFrame({"sn": targets["sn"], "survey": targets["survey"]})
        twice = frame[frame["sn"].duplicated(keep=False)]
        several = {str(sn): list(group) for sn, group in twice.groupby("sn")["survey"]}
    if "survey" in rows.columns:
        sn, survey = rows.coded("sn"), rows.coded("survey")
        _, pairs = pd.factorize(sn.codes * len(survey.values) + survey.codes)
        pairs = pairs[sn.values[pairs // len(survey.values)] != ""]
        owner = sn.values[pairs // len(survey.values)]
        by = survey.values[pairs % len(survey.values)]
        names, counts = np.unique(owner, return_counts=True)
        for name in names[counts > 1].tolist():
            several.setdefault(name, by[owner == name].tolist())
    return several


def _split(rows: Rows, several: dict[str, list[str]]) -> Rows:
    """Rename the epochs of the named supernovae to name_survey."""
    sn, survey = rows.coded("sn"), rows.coded("survey")
    codes, pairs = pd.factorize(sn.codes * len(survey.values) + survey.codes)
    names = sn.values[pairs // len(survey.values)].tolist()
    surveys = survey.values[pairs % len(survey.values)].tolist()
    labels = [f"{n}_{s}" if n in several else n for n, s in zip(names, surveys, strict=True)]
    split = Coded(values=np.array(labels, dtype=str), codes=codes.astype(np.intp)).renamed(labels)
    return replace(rows, columns={**rows.columns, "sn": split})


def _spread(targets: Targets, several: dict[str, list[str]]) -> Targets:
    """Give each survey of the named supernovae its own target."""
    frame = targets.to_pandas()
    parts = []
    for name, group in frame.groupby("sn", sort=False):
        surveys = several.get(str(name))
        if surveys is None:
            parts.append(group)
            continue
        for survey in surveys:
            own = group[group["survey"] == survey]
            own = own if len(own) else group.iloc[:1]
            parts.append(own.assign(sn=f"{name}_{survey}", survey=survey))
    table = pa.Table.from_pandas(pd.concat(parts), preserve_index=False)
    return Targets(table=table.replace_schema_metadata(None), meta=targets.meta)


def _merged(targets: Targets, several: dict[str, list[str]]) -> Targets:
    """One target a name: of each column the first known value, the surveys joined by +."""
    frame = targets.to_pandas().replace("", None)
    merged = frame.groupby("sn", sort=False).first().reset_index()
    spread = frame.groupby("sn")["z_hel"].agg(lambda z: z.max() - z.min())
    if np.any(spread > _Z_SPREAD):
        _log.warning("%s is merged of redshifts that differ by %.4f", spread.idxmax(), spread.max())
    joined = {name: "+".join(dict.fromkeys(filter(None, by))) for name, by in several.items()}
    merged["survey"] = [
        joined.get(sn, own) for sn, own in zip(merged["sn"], merged["survey"], strict=True)
    ]
    table = pa.Table.from_pandas(merged, preserve_index=False)
    return Targets(table=table.replace_schema_metadata(None), meta=targets.meta)
