"""``chandelle fit-lightcurves``: light curves in any format to SALT parameters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from chandelle.cli.console import complain, say, step
from chandelle.cli.fit_options import FitOptions, ReadingOptions
from chandelle.core.errors import InputError

_MEND = {
    "z_invalid": "give the heliocentric redshift as a column z, or --targets with a table of them",
    "mwebv_invalid": "give E(B-V), 0 to 5 mag, not A_V, as a column mwebv, or --targets with it",
    "covariance_invalid": "the covariance of its fluxes cannot be used; the warnings above say why",
    "no_data": "every epoch was rejected; the warnings above say why",
    "no_band_in_range": "no band lies within the model's wavelengths at these redshifts",
    "underconstrained": "too few epochs are left to fit; see --phase-range and --wave-range",
    "bounds_exclude_data": "the bounds of t0 or x0 keep the model away from the data; see --bounds",
    "no_detection": "no supernova is seen; see --min-detection",
}
"""What helps, by the status of a fit."""


def fit_lightcurves(
    files: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    lightcurves: Path | None = None,
    on: str | None = None,
    reading: ReadingOptions | None = None,
    fit: FitOptions | None = None,
) -> int:
    """Fit SALT to every supernova in files of light curves.

    Folders written by chandelle are fitted one after the other in blocks of supernovae, in memory
    that does not grow with their number; each supernova is in one folder. Files of other formats
    are read whole, and so are several folders with --targets. What cannot be read is named and left
    out; the others are fitted, and the exit code is 1. So it is when no supernova at all has an
    answer.

    Parameters
    ----------
    files
        Light curves: folders written by chandelle, Parquet, CSV, ECSV, SNANA text or FITS, alerts.
    output
        SALT fits (Parquet), one row a target.
    lightcurves
        Also write the light curves as they were fitted into this folder, for the report; then all
        of them are in memory at once.
    on
        Fit folders in blocks as tasks: serial, local, local:N, slurm:PROFILE, slurm-array:PROFILE,
        or tcp:// and the address of a dask scheduler. Blocks and receipts are kept in OUTPUT.run,
        from which the same command goes on where it was ended.
    """
    from chandelle.compute.programs import keep_programs
    from chandelle.core.paths import refuse_twice
    from chandelle.lightcurve.ingest.read import is_product_folder

    reading, fit = reading or ReadingOptions(), fit or FitOptions()
    _check_outputs(output, lightcurves, [*files, *reading.files(), *fit.files()])
    refuse_twice(files)
    keep_programs()
    how, settings = reading.arguments(), fit.settings()
    products = [file for file in files if is_product_folder(file)]
    for folder in products:
        reading.refuse_for(folder)
    is_one = len(files) == 1 or reading.targets is None
    if products == files and is_one and lightcurves is None:
        settings["on"] = on
        counts, failures = _fit_blocks(files, output, how, settings, size=fit.block)
    elif on is not None:
        raise InputError(
            "--on fits folders that chandelle has written; fit these files without it, or write "
            "them as such first (chandelle.read_lightcurves(...).write(FOLDER))"
        )
    else:
        counts, failures = _fit_whole(files, output, lightcurves, how, settings)
    say(f"{_tally(counts)}, written to {output}")
    if failures:
        complain(f"{len(failures)} of {len(files)} files were left out")
    if not counts.get("ok"):
        complain(_why_none(counts))
    return int(bool(failures) or not counts.get("ok"))


def _check_outputs(output: Path, lightcurves: Path | None, inputs: Sequence[Path]) -> None:
    """Raise unless both can be written, without loss of what is read or of each other."""
    from chandelle.cli.outputs import check_file, check_folder
    from chandelle.core.paths import refuse_to_replace

    check_file(output, inputs=inputs)
    if lightcurves is not None:
        check_folder(lightcurves, inputs=inputs)
        refuse_to_replace(output, [lightcurves], use="--lightcurves writes whole")


def _fit_blocks(
    folders: list[Path],
    output: Path,
    how: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    size: int,
) -> tuple[Mapping[str, int], list[str]]:
    """Fit folders of light curves; how many ended with which status, and why some were left out."""
    from chandelle.cli.cache import fit_step
    from chandelle.lightcurve.blocks import fit_salt_blocks

    failures: list[str] = []

    def leave_out(why: str) -> None:
        failures.append(why)
        complain(why)

    own = {name: how[name] for name in ("targets", "passbands", "origin")}
    with step(fit_step("fit")) as running:
        told = {"progress": running.show, "unreadable": leave_out}
        counts = fit_salt_blocks(folders, output, size=size, **told, **own, **settings)
    return counts, failures


def _fit_whole(
    files: Sequence[Path],
    output: Path,
    lightcurves: Path | None,
    how: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Mapping[str, int], list[str]]:
    """Fit what could be read of files; also why some could not."""
    from chandelle.cli.cache import fit_step
    from chandelle.cli.gather import gather_lightcurves
    from chandelle.lightcurve.stage import fit_salt

    gathered, failures = gather_lightcurves(files, **how)
    for failure in failures:
        complain(failure)
    with step(fit_step(f"fit {len(gathered.targets)} supernovae")) as running:
        fits = fit_salt(gathered, **settings, progress=running.show)
    fits.write(output)
    if lightcurves is not None:
        gathered.write(lightcurves)
    return Counter(fits["status"].tolist()), failures


def _tally(counts: Mapping[str, int]) -> str:
    """Say how many fits ended how, ``"178 of 180 supernovae fitted, 2 no_detection"``."""
    others = [f"{n} {reason}" for reason, n in sorted(counts.items()) if reason != "ok"]
    total = sum(counts.values())
    return ", ".join([f"{counts.get('ok', 0)} of {total} supernovae fitted", *others])


def _why_none(counts: Mapping[str, int]) -> str:
    """Say why no supernova could be fitted, and the mend of the commonest reason."""
    if not counts:
        return "no supernova in these files; expected one row an epoch, found none"
    reason, n = Counter(counts).most_common(1)[0]
    mend = f": {_MEND[reason]}" if reason in _MEND else ""
    return f"no supernova could be fitted; {n} {reason}{mend}"
