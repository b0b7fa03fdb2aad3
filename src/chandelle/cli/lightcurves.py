"""``chandelle fit-lightcurves``: light curves in any format to SALT parameters."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from chandelle.cli.console import complain, say, step

_MEND = {
    "z_invalid": "give the heliocentric redshift as a column z, or --targets with a table of them",
    "no_data": "every epoch was rejected; the warnings above say why",
    "no_band_in_range": "no band lies within the model's wavelengths at these redshifts",
    "underconstrained": "too few epochs are left to fit; see --phase-range and --wave-range",
    "no_detection": "no supernova is seen; see min_detection in the settings file",
}
"""What helps, by the status of a fit."""


def fit_lightcurves(
    files: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    model: str | None = None,
    kcor: Path | None = None,
    snana_vpec: Literal["velocity", "correction"] = "velocity",
    targets: Path | None = None,
    model_cov: bool | None = None,
    phase_range: tuple[float, float] | None = None,
    wave_range: tuple[float, float] | None = None,
    config: Path | None = None,
    origin: Literal["simulated", "published", "real"] | None = None,
    published: bool = False,
    lightcurves: Path | None = None,
) -> int:
    """Fit SALT to every supernova in files of light curves.

    A file that cannot be read is named and left out; the others are fitted, and the exit code
    is 1. So it is when no supernova at all has an answer.

    Parameters
    ----------
    files
        Light curves: folders written by chandelle, Parquet, CSV, ECSV, or SNANA text.
    output
        SALT fits (Parquet), one row a target.
    model
        Name of a SALT model, or its folder in sncosmo's layout; salt3-f22 if not given.
    kcor
        SNANA calibration file, for SNANA text.
    snana_vpec
        What VPEC in SNANA text is: the velocity, or (2018 and before) the correction to add.
    targets
        Table of names, redshifts and the rest, if the files do not hold them.
    model_cov
        Add the covariance of the SALT model.
    phase_range
        Rest-frame days about maximum that are fitted; -15 45 if not given.
    wave_range
        Mean rest-frame wavelengths [angstrom] of the bands that are fitted; all if not given.
    config
        TOML file with any setting of the fit (model, model_cov, dust, r_v, phase_range,
        wave_range, c_max, min_detection).
    origin
        Where the data come from, if the files do not say.
    published
        Short for --origin published.
    lightcurves
        Also write the light curves as they were fitted into this folder, for the report.
    """
    from chandelle.cli.cache import use_compilation_cache
    from chandelle.cli.gather import gather_lightcurves
    from chandelle.cli.outputs import check_file, check_folder
    from chandelle.cli.settings import settings_of
    from chandelle.lightcurve.stage import FitConfig, fit_salt

    check_file(output)
    if lightcurves is not None:
        check_folder(lightcurves)
    use_compilation_cache()
    settings = settings_of(
        FitConfig,
        config,
        model=model,
        model_cov=model_cov,
        phase_range=phase_range,
        wave_range=wave_range,
    )
    origin = "published" if published else origin
    gathered, failures = gather_lightcurves(
        files, kcor=kcor, snana_vpec=snana_vpec, targets=targets, origin=origin
    )
    for failure in failures:
        complain(failure)
    with step(f"fit {len(gathered.targets)} supernovae") as running:
        fits = fit_salt(gathered, **settings, progress=running.show)
    fits.write(output)
    if lightcurves is not None:
        gathered.write(lightcurves)
    say(f"{_tally(fits['status'])}, written to {output}")
    if failures:
        complain(f"{len(failures)} of {len(files)} files were left out")
    if not fits.is_ok.any():
        complain(_why_none(fits["status"]))
    return int(bool(failures) or not fits.is_ok.any())


def _tally(status: Iterable[str]) -> str:
    """Say how many fits ended how, ``"178 of 180 supernovae fitted, 2 no_detection"``."""
    counts = Counter(status)
    others = [f"{n} {reason}" for reason, n in sorted(counts.items()) if reason != "ok"]
    return ", ".join([f"{counts['ok']} of {counts.total()} supernovae fitted", *others])


def _why_none(status: Iterable[str]) -> str:
    """Say why no supernova could be fitted, and the mend of the commonest reason."""
    counts = Counter(status)
    if not counts:
        return "no supernova in these files; expected one row an epoch, found none"
    reason, n = counts.most_common(1)[0]
    mend = f": {_MEND[reason]}" if reason in _MEND else ""
    return f"no supernova could be fitted; {n} {reason}{mend}"
