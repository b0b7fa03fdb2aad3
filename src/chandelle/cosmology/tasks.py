"""The cosmology of a run as a task."""

from pathlib import Path
from typing import Any, Literal

from chandelle.compute.stage import Home, Stage
from chandelle.compute.task import Task
from chandelle.core.precision import require_x64
from chandelle.core.provenance import code_version
from chandelle.cosmology.stage import CosmologyConfig, fit_cosmology, require_open
from chandelle.products.diagram import Diagram
from chandelle.products.product import read_meta
from chandelle.products.saltfits import SaltFits

_CODE = ("core", "cosmology", "inference", "numerics", "physics", "products")
_DATA = {"saltfits": "saltfits/fits.parquet", "diagram": "diagram"}


class CosmologyTaskConfig(CosmologyConfig):
    """Settings of the cosmology of a run.

    `data` says what is fitted: the SALT fits, by the hierarchical model, or the diagram. `unblind`
    and `published` as `fit_cosmology` takes them; the file of settings is where a survey says that
    its analysis is frozen.
    """

    data: Literal["saltfits", "diagram"] = "saltfits"
    unblind: bool = False
    published: bool = False


def _plan(home: Home, config: CosmologyTaskConfig) -> list[Task]:
    """One task; none where the data are blinded.

    Raises
    ------
    BlindedError
        If nobody has said that the data may be looked at.
    """
    place = _DATA[config.data]
    inputs = home.inputs(place)
    is_fits = config.data == "saltfits"
    table = home.folder / (place if is_fits else f"{place}/diagram.parquet")
    meta = read_meta(table, (SaltFits if is_fits else Diagram).schema)
    require_open(meta, unblind=config.unblind, published=config.published)
    return [
        Task(
            stage="cosmology",
            key="all",
            call=f"{__name__}:draw_posterior",
            inputs=inputs,
            outputs=("posterior",),
            settings=config.record(),
            code=code_version(*_CODE),
        )
    ]


def draw_posterior(task: Task, folder: Path) -> dict[str, Any]:
    """Fit cosmology to the SALT fits or the diagram of a run."""
    require_x64()
    settings = dict(CosmologyTaskConfig(**task.settings))
    kind = SaltFits if settings["data"] == "saltfits" else Diagram
    data = kind.read(folder / _DATA[settings.pop("data")])
    posterior = fit_cosmology(data, **settings)
    posterior.write(folder / task.outputs[0])
    return {"status": posterior.status}


STAGE = Stage(
    name="cosmology",
    writes="posterior",
    config=CosmologyTaskConfig,
    steps={"cosmology": _plan},
)
