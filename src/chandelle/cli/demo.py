"""``chandelle demo``: from simulated light curves to Om, and a report."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chandelle.cli.console import say


def demo(
    directory: Path = Path("demo"),
    /,
    *,
    seed: int = 1,
    n: Annotated[int, Parameter(show=False)] = 500,
) -> None:
    """Simulate two surveys, fit every light curve, standardize, find Om, write the report.

    Parameters
    ----------
    directory
        Gets every product of the chain, and report/index.html.
    seed
        Root of all random numbers.
    n
        Supernovae of each survey.
    """
    from chandelle.cli.outputs import check_folder
    from chandelle.cli.walkthrough import compare, run_chain, show
    from chandelle.compute.programs import keep_programs

    check_folder(directory)
    keep_programs()
    chain = run_chain(directory, seed=seed, n={"ZTF": n, "DEEP": n})
    say(show(compare(chain.posterior, chain.truth), chain.posterior))
    say(f"report: {chain.page}")
