"""The standardization as a task."""

from pathlib import Path
from typing import Any

from chandelle.compute.stage import Home, Stage
from chandelle.compute.task import Task
from chandelle.core.precision import require_x64
from chandelle.core.provenance import code_version
from chandelle.products.saltfits import SaltFits
from chandelle.standardization.stage import StandardizeConfig, standardize

_CODE = ("core", "inference", "numerics", "physics", "products", "standardization")
_FITS = "saltfits/fits.parquet"


def _plan(home: Home, config: StandardizeConfig) -> list[Task]:
    return [
        Task(
            stage="standardize",
            key="all",
            call=f"{__name__}:make_diagram",
            inputs=home.inputs(_FITS),
            outputs=("diagram",),
            settings=config.record(),
            code=code_version(*_CODE),
        )
    ]


def make_diagram(task: Task, folder: Path) -> dict[str, Any]:
    """Standardize the SALT fits of a run."""
    require_x64()
    settings = dict(StandardizeConfig(**task.settings))
    diagram = standardize(SaltFits.read(folder / _FITS), **settings)
    diagram.write(folder / task.outputs[0])
    facts = diagram.meta.provenance["standardization"]
    return {name: facts[name] for name in ("n_in", "n_used", "rejected")}


STAGE = Stage(
    name="standardize",
    writes="diagram",
    config=StandardizeConfig,
    steps={"standardize": _plan},
)
