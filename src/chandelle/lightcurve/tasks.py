"""The fit of light curves as tasks: arrange blocks of supernovae, fit each, gather the fits."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from chandelle.compute.identity import identity_of
from chandelle.compute.lazy_engine import engine_for
from chandelle.compute.places import Place
from chandelle.compute.prefetch import prefetch
from chandelle.compute.stage import Home, NotReadyError, Plan, Planner, Stage
from chandelle.compute.steps import run_steps
from chandelle.compute.tally import Tally
from chandelle.compute.task import Task
from chandelle.core.errors import InputError
from chandelle.core.paths import refuse_to_replace
from chandelle.core.precision import require_x64
from chandelle.core.provenance import code_version
from chandelle.lightcurve.derivative_columns import derivative_names
from chandelle.lightcurve.fits_file import BLOCK, write_fits
from chandelle.lightcurve.stage import FitConfig, FitPlan, Progress, fit_planned, plan_of
from chandelle.products.arranged import Arranged, arrange, read_arranged
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits

_CODE = ("core", "inference", "instrument", "lightcurve", "numerics", "physics", "products")
TASK_FAILED = "task_failed"
"""Status of the supernovae of a block whose task failed, with `mark_failed`."""


class FitTasksConfig(FitConfig):
    """Settings of the light-curve fit as tasks.

    `block` is the number of supernovae of a task. With `mark_failed`, those of a block whose task
    failed for good stand among the fits with the status task_failed; without, nothing is gathered.
    """

    block: int = Field(default=BLOCK, ge=1)
    mark_failed: bool = False

    @property
    def fit(self) -> FitConfig:
        """Settings of the fit itself."""
        return FitConfig(**{name: getattr(self, name) for name in FitConfig.model_fields})


def fit_stage(
    lightcurves: Sequence[str] = ("lightcurves",),
    out: str = "saltfits/fits.parquet",
    work: str = "saltfits",
) -> Stage:
    """Describe the fit as a stage.

    Parameters
    ----------
    lightcurves : sequence of str
        Folders of light curves, in the folder of the run or whole paths.
    out : str
        The fits, likewise.
    work : str
        Folder of the blocks, in that of the run.

    Returns
    -------
    Stage
        Of three steps: one task that looks through the epochs and puts them in order where they are
        not, one a block, one that gathers their fits into the file that `fit_salt_blocks` writes.
    """
    arranging = partial(_plan_arranging, lightcurves=tuple(lightcurves), work=work)
    fitting = partial(_plan_fits, arranging=arranging, work=work)
    gathering = partial(_plan_gathering, fitting=fitting, out=out, work=work)
    return Stage(
        name="fit-lightcurves",
        writes=out,
        config=FitTasksConfig,
        steps={
            "arrange-lightcurves": arranging,
            "fit-lightcurves": fitting,
            "gather-fits": gathering,
        },
    )


def fit_on(
    on: Place,
    lcs: str | Path | Sequence[str | Path],
    out: Path,
    config: FitConfig,
    *,
    size: int = BLOCK,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Fit light curves as tasks, outside of a survey; a second call goes on from the first.

    Parameters
    ----------
    on : str or dask Client
        Where.
    lcs : path, or sequence of paths
        Folders that `LightCurves.write` wrote.
    out : Path
        The fits; blocks and receipts are kept in a folder of this name with ``.run`` behind it.
    config : FitConfig
        Settings.
    size : int
        Targets of a block.
    progress : callable, optional
        Is told how many blocks are fitted, and how many there are.

    Returns
    -------
    dict of str to int
        How many fits ended with which status.

    Raises
    ------
    TasksFailedError
        If blocks failed for good.
    """
    folders = [lcs] if isinstance(lcs, str | Path) else list(lcs)
    refuse_to_replace(out, folders)
    home = Home(out.with_name(f"{out.name}.run"))
    places = [str(Path(path).resolve()) for path in folders]
    stage = fit_stage(places, str(out.absolute()), work=".")
    settings = FitTasksConfig(**dict(config), block=size)

    def report(step: str, tally: Tally) -> None:
        if progress is not None and step == "fit-lightcurves":
            progress(tally.total - tally.left, tally.total)

    with engine_for(on, home.folder) as engine:
        results = run_steps(stage, settings, home, engine, progress=report)
    return dict(results["gather-fits"].facts["status"])


def _plan_arranging(
    home: Home, config: FitTasksConfig, *, lightcurves: tuple[str, ...], work: str
) -> list[Task]:
    return [
        Task(
            stage="arrange-lightcurves",
            key="all",
            call=f"{__name__}:arrange_blocks",
            inputs=home.inputs(*lightcurves),
            outputs=(f"{work}/arranged",),
            settings={"lightcurves": list(lightcurves), "size": config.block},
            code=code_version("core", "products"),
        )
    ]


def arrange_blocks(task: Task, folder: Path) -> dict[str, Any]:
    """Look through the epochs; put them in order where they are not."""
    sets, out = [folder / path for path in task.settings["lightcurves"]], folder / task.outputs[0]
    shutil.rmtree(out, ignore_errors=True)
    arranged = arrange(sets, out, size=task.settings["size"])
    return {"blocks": len(arranged)}


def _plan_fits(home: Home, config: FitTasksConfig, *, arranging: Planner, work: str) -> Plan:
    [arranged] = arranging(home, config)
    receipt = home.receipt_of(arranged)
    [place] = arranged.outputs
    inputs = dict(arranged.inputs) | {place: receipt.outputs[place]["sha256"]}
    if Path(config.model).is_dir():
        inputs |= home.inputs(config.model)
    settings, code = config.fit.record(), code_version(*_CODE)

    def task(number: int) -> Task:
        return Task(
            stage="fit-lightcurves",
            key=f"{number:06d}",
            call=f"{__name__}:fit_block",
            inputs=inputs,
            outputs=(f"{work}/blocks/{number:06d}.parquet",),
            settings={"fit": settings, "blocks": place, "number": number},
            code=code,
        )

    return Plan(task, receipt.facts["blocks"])


def fit_block(task: Task, folder: Path) -> dict[str, Any]:
    """Fit the supernovae of one block."""
    block = read_arranged(folder / task.settings["blocks"]).block(task.settings["number"])
    plan = _plan_of(FitConfig(**task.settings["fit"]), block)
    fits = fit_planned(plan, block, np.arange(len(block.targets)), report=Progress(None, 0))
    fits.write(folder / task.outputs[0])
    return {"supernovae": len(fits), "status": dict(Counter(fits["status"].tolist()))}


def _plan_gathering(
    home: Home, config: FitTasksConfig, *, fitting: Planner, out: str, work: str
) -> list[Task]:
    inputs, failed = {}, []
    for number, (task, receipt) in enumerate(home.receipts_of(fitting(home, config))):
        if receipt is not None:
            inputs |= {place: facts["sha256"] for place, facts in receipt.outputs.items()}
        elif config.mark_failed:
            failed.append(number)
        else:
            raise NotReadyError(f"{task.stage} {task.key} is not done")
    settings = {"fit": config.fit.record(), "blocks": f"{work}/arranged"}
    return [
        Task(
            stage="gather-fits",
            key="all",
            call=f"{__name__}:gather_fits",
            inputs=inputs,
            outputs=(out,),
            settings=settings | {"failed": failed, "work": work},
            code=code_version(*_CODE),
        )
    ]


def gather_fits(task: Task, folder: Path) -> dict[str, Any]:
    """Write the fits of all blocks as one file, after a look at each that it is whole."""
    require_x64()
    arranged = read_arranged(folder / task.settings["blocks"])
    config = FitConfig(**task.settings["fit"])
    names = {}
    if config.derivatives:
        plan = _plan_of(config, arranged.without_epochs(0))
        names = derivative_names(arranged.whole(), arranged.bands, plan.constraints.names)
    failed = set(task.settings["failed"])

    def block(number: int) -> SaltFits:
        place = f"{task.settings['work']}/blocks/{number:06d}.parquet"
        if number in failed:
            return _unfitted(config, arranged, number)
        _expect(folder / place, task.inputs[place])
        return SaltFits.read(folder / place)

    blocks = prefetch(range(len(arranged)), block)
    status = write_fits(folder / task.outputs[0], blocks, names=names)
    return {"supernovae": sum(status.values()), "status": status}


def _plan_of(config: FitConfig, lcs: LightCurves) -> FitPlan:
    how = {"model": config.model, "bounds": config.bounds, "priors": config.priors}
    return plan_of(config, lcs.targets, **how)


def _unfitted(config: FitConfig, arranged: Arranged, number: int) -> SaltFits:
    """Rows of the supernovae of a block whose task failed."""
    lcs = arranged.without_epochs(number)
    plan = _plan_of(config, lcs)
    fits = fit_planned(plan, lcs, np.arange(len(lcs.targets)), report=Progress(None, 0))
    at = fits.table.column_names.index("status")
    status = pa.array([TASK_FAILED] * len(fits), fits.table.schema.field("status").type)
    return replace(fits, table=fits.table.set_column(at, "status", status))


def _expect(path: Path, sha256: str) -> None:
    """Raise unless a file is what its task wrote."""
    found = identity_of(path)
    if found.sha256 != sha256:
        raise InputError(
            f"{path}: is not what its task wrote ({found.size} bytes now); chandelle verify names "
            "all such files, and with --forget they are made again"
        )


STAGE = fit_stage()
