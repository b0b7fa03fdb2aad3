"""``chandelle run`` and ``retry``: the chain of a survey, and what of it failed once more."""

from pathlib import Path

from chandelle.cli.console import say
from chandelle.cli.live import live_steps
from chandelle.core.errors import NotConvergedError


def run(
    directory: Path,
    /,
    *,
    from_: str | None = None,
    until: str | None = None,
    on: str = "local",
    replace: bool = False,
) -> None:
    """Run what is missing or stale of a survey; after a stop, the same command goes on.

    Settings stand in survey.toml in the folder, a table a stage: [simulate], [fit-lightcurves],
    [standardize], [cosmology]; without it they are those by default.

    Parameters
    ----------
    directory
        The survey: lightcurves/ or saltfits/fits.parquet, or a survey.toml with [simulate].
    from_
        First stage: simulate, fit-lightcurves, standardize, cosmology or report.
    until
        Last stage.
    on
        Where tasks run: serial, local, local:N, slurm:PROFILE, slurm-array:PROFILE, or tcp:// and
        the address of a dask scheduler.
    replace
        Replace products that no run has made here.
    """
    from chandelle.compute.programs import keep_programs
    from chandelle.pipeline.run import run as run_survey

    keep_programs()
    with live_steps() as told:
        how = {"start": from_, "until": until, "replace": replace}
        result = run_survey(directory, on=on, progress=told, **how)
    say(repr(result))
    status = result.facts.get("cosmology", {}).get("status", "ok")
    if status != "ok":
        raise NotConvergedError(
            f"cosmology: {status}; the draws are kept. Give more (n_draws in [cosmology] of "
            "survey.toml) and run again"
        )


def retry(
    directory: Path,
    /,
    *tasks: str,
    failed: bool = False,
    from_: str | None = None,
    until: str | None = None,
    on: str = "local",
    replace: bool = False,
) -> None:
    """Run tasks again that failed for good, or that are named, and all that waits for them.

    Parameters
    ----------
    directory
        The survey; of another folder of tasks (OUTPUT.run, that of ch.map) they are only made ready
        for the command or the call that they are of.
    tasks
        Keys, STEP/KEY, steps of one task, or beginnings of ids.
    failed
        All that failed; where none did, nothing runs.
    from_
        First stage, as for run.
    until
        Last stage.
    on
        As for run.
    replace
        As for run.
    """
    from chandelle.compute.places import find_engine
    from chandelle.pipeline.run import check, forget
    from chandelle.pipeline.survey import Survey, is_survey

    find_engine(on, directory)  # Nothing is forgotten for a run that cannot be.
    if is_survey(directory):
        check(Survey(directory), start=from_, until=until, replace=replace)
    counts = forget(directory, keys=tasks, failed=failed)
    if not counts:
        say("none failed")
        return
    say(", ".join(f"{step}: {n} to run again" for step, n in counts.items()))
    if is_survey(directory):
        run(directory, from_=from_, until=until, on=on, replace=replace)
    else:
        say("now give the command again that these tasks are of")
