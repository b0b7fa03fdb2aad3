"""``chandelle simulate``: light curves with their truth."""

from pathlib import Path

from chandelle.cli.console import say, step


def simulate(directory: Path, /, *, seed: int = 1, n_low: int = 500, n_high: int = 500) -> None:
    """Simulate light curves of a near and a far survey.

    Parameters
    ----------
    directory
        Gets lightcurves/ and truth.parquet.
    seed
        Root of all random numbers.
    n_low
        ZTF-like supernovae (g r i, z < 0.1).
    n_high
        SNLS- and HSC-like supernovae (g r i z, 0.1 < z < 0.8).
    """
    from chandelle.cli.outputs import check_folder
    from chandelle.compute.programs import keep_programs
    from chandelle.simulate.survey import simulate_lightcurves

    check_folder(directory)
    keep_programs()
    with step("simulate"):
        survey = simulate_lightcurves(seed=seed, n_low=n_low, n_high=n_high)
    survey.write(directory)
    say(f"{len(survey.truth)} supernovae, {len(survey.lightcurves)} epochs in {directory}")
