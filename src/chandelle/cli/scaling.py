"""``chandelle scaling``: will it do the whole of ZTF, and of LSST."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from chandelle.cli.console import say, step
from chandelle.core.errors import InputError

if TYPE_CHECKING:
    from chandelle.compute.scaling_result import Scaling

_FIGURES = (".png", ".pdf", ".svg")


def scaling(
    function: str,
    /,
    *,
    sizes: str = "100,300,1000,3000",
    setup: str | None = None,
    repeats: int = 3,
    threads: int = 1,
    limit: float = 600.0,
    budget: float = math.inf,
    memory: float | None = None,
    to: list[str] | None = None,
    profile: str | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    measurements: Path | None = None,
) -> int:
    """Measure how a function of your own scales, and project it to ZTF and LSST.

    Each size runs in a process of its own. The exit code is 1 where a size failed, or where those
    that did not are too few for a law.

    Parameters
    ----------
    function
        my.py:func or package.module:func; it takes a size, or what the setup makes.
    sizes
        Numbers of objects, with commas.
    setup
        my.py:make, which takes a size and makes data of that size; its time is not counted.
    repeats
        Calls after the first, which is told apart; their median counts.
    threads
        Threads and cores of a measurement; 0 for as many as it likes.
    limit
        Seconds a size may take; it is ended then, and larger ones are not run.
    budget
        Seconds for all; a size that is expected to exceed it is not run.
    memory
        GB a size may take; 0.9 of what is free if not given.
    to
        Sizes to project to, name=N, instead of ztf=40000 and lsst=400000; repeat it for each.
    profile
        Batch system, cc-in2p3 or one of your own: how many of its jobs that is.
    output
        Figure, .png, .pdf or .svg.
    measurements
        The measurements, .json or .parquet.
    """
    from chandelle.cli.outputs import check_file
    from chandelle.compute.scaling import measure_scaling
    from chandelle.compute.scaling_result import KINDS
    from chandelle.compute.scaling_text import header_of, outlook_of, place_of, row_of, title_of

    numbers = [whole(word, "--sizes") for word in sizes.split(",")]
    targets = _targets(to or [])
    place = place_of(profile)
    if output is not None:
        check_file(output, suffixes=_FIGURES)
    if measurements is not None:
        check_file(measurements, suffixes=KINDS)
    with step("measure") as running:

        def show(found: "Scaling") -> None:
            done = found.measurements
            running.show(len(done), len(numbers))
            if done:
                say(row_of(done[-1], has_setup=bool(setup)))
                if measurements is not None:
                    found.write(measurements)
            else:
                say(f"{title_of(found)}\n\n{header_of(has_setup=bool(setup))}")

        found = measure_scaling(
            function,
            numbers,
            setup=setup,
            repeats=repeats,
            threads=threads or None,
            limit_s=limit,
            budget_s=budget,
            memory_gb=memory,
            progress=show,
        )
    say("\n".join(outlook_of(found, targets, place)))
    if output is not None and found.has_laws:
        _draw(found, output, targets=targets, profile=profile)
    return int(not found.has_laws or any(one.has_failed for one in found.measurements))


def whole(word: str, option: str) -> int:
    """Read a number of objects, ``"3000"`` or ``"3e3"``.

    Parameters
    ----------
    word : str
        As typed.
    option : str
        Where, for the message.

    Returns
    -------
    int
        The number.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not (number >= 1 and number.is_integer()):
        raise InputError(f"{option} {word}: expected whole numbers from 1 on")
    return int(number)


def _targets(words: list[str]) -> Mapping[str, int]:
    from chandelle.cli.pairs import named
    from chandelle.compute.scaling_result import TARGETS

    given = named("--to", words, form="NAME=N")
    return {name: whole(n, f"--to {name}") for name, n in given.items()} or TARGETS


def _draw(found: "Scaling", path: Path, **how: Any) -> None:
    """Write the figure."""
    from matplotlib.figure import Figure

    from chandelle.core.atomic import atomic_file
    from chandelle.report.scaling_figure import plot_scaling

    figure = Figure(figsize=(9.0, 4.2), layout="constrained")
    plot_scaling(found, figure=figure, **how)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    say(f"figure: {path}")
