"""The simulation of light curves as a task."""

from pathlib import Path
from typing import Any

from pydantic import Field

from chandelle.compute.stage import Home, Stage
from chandelle.compute.task import Task
from chandelle.core.config import StageConfig
from chandelle.core.provenance import code_version
from chandelle.simulate.survey import simulate_lightcurves

_CODE = ("core", "instrument", "numerics", "physics", "products", "simulate")
_OUTPUTS = ("lightcurves", "truth.parquet")


class SimulateConfig(StageConfig):
    """Settings of the simulation of light curves."""

    seed: int = 1
    n_low: int = Field(default=500, ge=0)
    n_high: int = Field(default=500, ge=0)
    model: str = "salt3-f22"


def _plan(home: Home, config: SimulateConfig) -> list[Task]:
    return [
        Task(
            stage="simulate",
            key="all",
            call=f"{__name__}:simulate",
            inputs=home.inputs(config.model) if Path(config.model).is_dir() else {},
            outputs=_OUTPUTS,
            settings=config.record(),
            code=code_version(*_CODE),
        )
    ]


def simulate(task: Task, folder: Path) -> dict[str, Any]:
    """Simulate light curves and their truth."""
    survey = simulate_lightcurves(**task.settings)
    survey.write(folder)
    return {"supernovae": len(survey.truth)}


STAGE = Stage(
    name="simulate", writes="lightcurves", config=SimulateConfig, steps={"simulate": _plan}
)
