"""``chandelle simulate``: what a survey would see, with its truth."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from chandelle.cli.console import say, step
from chandelle.cli.pairs import named
from chandelle.core.errors import InputError

simulate = App(name="simulate", help="Simulate what a survey would see, with its truth.")


@simulate.command
def lightcurves(
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    preset: str = "lemaitre-mini",
    seed: int = 1,
    n: Annotated[tuple[str, ...], Parameter(name=["--n"], negative=())] = (),
    selection: Annotated[bool | None, Parameter(negative="--complete")] = None,
    snana: str = "",
) -> None:
    """Simulate the light curves of a sample.

    In a survey.toml the same settings stand in a table [simulate]; chandelle run then draws large
    samples in blocks, anywhere.

    Parameters
    ----------
    out
        Folder that gets lightcurves/, truth.parquet and exposures/.
    preset
        lemaitre-mini, lemaitre, ztf-dr2, lsst-y1, or a file of settings (.toml).
    seed
        Root of all random numbers.
    n
        Supernovae of a survey, SURVEY=NUMBER, instead of what its rate gives; repeat for each.
    selection
        Apply the spectroscopic selection of the surveys; --complete: do not.
    snana
        Name of a version: write SNANA's HEAD and PHOT files with the truth into snana/ too.
    """
    from chandelle.cli.outputs import check_folder
    from chandelle.compute.programs import keep_programs
    from chandelle.simulate.sample import simulate_lightcurves
    from chandelle.simulate.snana import check_version, write_snana

    if snana:
        check_version(snana)
    check_folder(out)
    counts = _counts(n)
    keep_programs()
    with step("simulate"):
        sample = simulate_lightcurves(preset, seed=seed, n=counts, selection=selection)
    sample.write(out)
    if snana:
        write_snana(out / "snana", sample.lightcurves, sample.truth, version=snana)
    n_seen, n_drawn = len(sample.lightcurves.targets), len(sample.truth)
    say(f"{n_seen} supernovae of {n_drawn}, {len(sample.lightcurves)} epochs in {out}")


@simulate.command
def diagram(
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    preset: str = "lemaitre-mini",
    seed: int = 1,
    n: Annotated[tuple[str, ...], Parameter(name=["--n"], negative=())] = (),
    selection: Annotated[bool | None, Parameter(negative="--complete")] = None,
) -> None:
    """Simulate SALT fits and a Lemaitre diagram, without light curves: a million in seconds.

    Parameters
    ----------
    out
        Folder that gets saltfits/fits.parquet, diagram/ and truth.parquet.
    preset
        As for lightcurves.
    seed
        Root of all random numbers.
    n
        Supernovae of a survey, SURVEY=NUMBER, instead of what its rate gives; repeat for each.
    selection
        Select by the magnitude in rest-frame B; --complete: do not.
    """
    from chandelle.cli.outputs import check_folder
    from chandelle.compute.programs import keep_programs
    from chandelle.simulate.tables import diagram_of_fits, simulate_fits

    check_folder(out)
    counts = _counts(n)
    keep_programs()
    with step("simulate"):
        fits, truth = simulate_fits(preset, seed=seed, n=counts, selection=selection)
        distances = diagram_of_fits(fits, truth)
    fits.write(out / "saltfits" / "fits.parquet")
    distances.write(out / "diagram")
    truth.write(out / "truth.parquet")
    say(f"{len(fits)} supernovae in {out}")


@simulate.command
def survey(
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    preset: str = "ztf-mini",
    seed: int = 1,
    on: str = "local",
) -> None:
    """Simulate the raw frames of a survey, with its calibration series and its truth.

    After a stop, the same command goes on.

    Parameters
    ----------
    out
        Folder that gets raw/, truth/ and a survey.toml.
    preset
        ztf-mini, lsst-mini, or a file of settings (.toml).
    seed
        Root of all random numbers.
    on
        Where tasks run: serial, local, local:N, slurm:PROFILE, slurm-array:PROFILE, or tcp:// and
        the address of a dask scheduler.
    """
    from chandelle.cli.live import live_steps
    from chandelle.compute.programs import keep_programs
    from chandelle.simulate.frames.survey import simulate_survey

    keep_programs()
    with live_steps() as progress:
        found = simulate_survey(preset, out=out, seed=seed, on=on, progress=progress)
    say(repr(found))


def _counts(words: tuple[str, ...]) -> dict[str, int]:
    """Numbers by survey."""
    counts = {}
    for name, number in named("--n", words, form="SURVEY=NUMBER").items():
        if not number.isdecimal():
            raise InputError(f"--n {name}={number}: expected SURVEY=NUMBER, a whole number")
        counts[name] = int(number)
    return counts
