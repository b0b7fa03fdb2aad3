"""The report of a run as a task."""

from pathlib import Path

from chandelle.compute.stage import Home, NotReadyError, Stage
from chandelle.compute.task import Task
from chandelle.core.config import StageConfig
from chandelle.core.provenance import code_version

_PRODUCTS = ("lightcurves", "saltfits/fits.parquet", "diagram", "posterior", "truth.parquet")
_CODE = ("core", "numerics", "physics", "products", "report")


class ReportConfig(StageConfig):
    """Settings of the report: none."""


def _plan(home: Home, config: ReportConfig) -> list[Task]:
    there = [name for name in _PRODUCTS if (home.folder / name).exists()]
    if not there:
        raise NotReadyError(f"{home.folder}: no product to report on")
    return [
        Task(
            stage="report",
            key="all",
            call=f"{__name__}:make_page",
            inputs=home.inputs(*there),
            outputs=("report/index.html",),
            settings=config.record(),
            code=code_version(*_CODE),
        )
    ]


def make_page(task: Task, folder: Path) -> None:
    """Write the page of a run from its products."""
    from chandelle.report.page import write_report  # slow to import, and planning needs none of it
    from chandelle.report.runs import load_run

    write_report(folder / task.outputs[0], **load_run(folder))


STAGE = Stage(
    name="report", writes="report/index.html", config=ReportConfig, steps={"report": _plan}
)
