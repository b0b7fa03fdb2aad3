"""The simulation of light curves as tasks: logs, targets, light curves in blocks, all in one."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from chandelle.compute.stage import Home, NotReadyError, Plan, Stage
from chandelle.compute.task import Task
from chandelle.core.config import StageConfig
from chandelle.core.precision import require_x64
from chandelle.core.provenance import code_version
from chandelle.products.exposures import Exposures
from chandelle.products.lightcurves import LightCurves
from chandelle.products.parts import write_lightcurve_parts
from chandelle.products.targets import Targets
from chandelle.simulate.preset_files import is_path
from chandelle.simulate.settings import SampleSettings, SurveySettings, load_preset
from chandelle.simulate.survey import SurveySimulation
from chandelle.simulate.truth import Truth, join_truths

_CODE = ("core", "instrument", "numerics", "physics", "products", "simulate")
_WORK = "simulation"
BLOCK = 20_000
"""Supernovae of a task."""


class SimulateConfig(StageConfig):
    """Settings of the simulation of light curves.

    `preset` is the name of one, or a file of settings; `n` the number of supernovae by survey,
    instead of what the rate gives; `block` the supernovae of a task, which no answer depends on.
    """

    preset: str = "lemaitre-mini"
    seed: int = Field(default=1, ge=0, lt=2**63)
    n: dict[str, int] = Field(default_factory=dict)
    selection: bool | None = None
    block: int = Field(default=BLOCK, ge=1)

    @cached_property
    def sample(self) -> SampleSettings:
        """Settings of the sample, whole."""
        return load_preset(self.preset).changed(n=self.n, selection=self.selection)


def _simulation(settings: Mapping[str, Any]) -> SurveySimulation:
    """The survey of a task."""
    require_x64()
    sample = SampleSettings.of("task", **settings["sample"])
    return SurveySimulation(sample=sample, name=settings["survey"], seed=settings["seed"])


def _task(config: SimulateConfig, stage: str, survey: str, call: str, **how: Any) -> Task:
    # Neither other surveys nor words touch this one.
    own = config.sample.of_survey(survey).model_copy(update={"about": ""})
    settings = {
        "sample": (own.without_supernovae() if stage == "make-logs" else own).record(),
        "survey": survey,
        "seed": config.seed,
    }
    return Task(
        stage=stage,
        key=how.pop("key", survey),
        call=f"{__name__}:{call}",
        settings=settings | how.pop("more", {}),
        code=code_version(*_CODE),
        **how,
    )


def _inputs(home: Home, sample: SampleSettings, survey: SurveySettings) -> dict[str, str]:
    """Files that settings name: a log, a camera, a model."""
    named = (survey.log, survey.camera, sample.model)
    templates = sample.population.templates.values()
    return home.inputs(*(word for word in named if is_path(word)), *templates)


def _plan_logs(home: Home, config: SimulateConfig) -> list[Task]:
    sample = config.sample
    return [
        _task(
            config,
            "make-logs",
            survey.name,
            "make_exposures",
            inputs=_inputs(home, sample, survey),
            outputs=(f"{_WORK}/{survey.name}/exposures.parquet",),
        )
        for survey in sample.surveys
    ]


def make_exposures(task: Task, folder: Path) -> dict[str, Any]:
    """Draw or read the log of a survey."""
    exposures = _simulation(task.settings).exposures()
    exposures.write(folder / task.outputs[0])
    return {"exposures": len(exposures)}


def _wrote(home: Home, task: Task) -> dict[str, str]:
    """Inputs of a step: what a task of an earlier one read and wrote."""
    receipt = home.receipt_of(task)
    return dict(task.inputs) | {path: one["sha256"] for path, one in receipt.outputs.items()}


def _plan_targets(home: Home, config: SimulateConfig) -> list[Task]:
    return [
        _task(
            config,
            "draw-targets",
            log.key,
            "draw_supernovae",
            inputs=_wrote(home, log),
            outputs=tuple(f"{_WORK}/{log.key}/{name}.parquet" for name in ("targets", "truth")),
        )
        for log in _plan_logs(home, config)
    ]


def _exposures(task: Task, folder: Path) -> Exposures:
    return Exposures.read(folder / _WORK / task.settings["survey"] / "exposures.parquet")


def draw_supernovae(task: Task, folder: Path) -> dict[str, Any]:
    """Draw the supernovae of a survey."""
    targets, truth = _simulation(task.settings).targets(_exposures(task, folder))
    targets.write(folder / task.outputs[0])
    truth.write(folder / task.outputs[1])
    return {"supernovae": len(targets)}


def _plan_blocks(home: Home, config: SimulateConfig) -> Plan:
    drawn = [
        (task, _wrote(home, task), home.receipt_of(task).facts["supernovae"])
        for task in _plan_targets(home, config)
    ]
    blocks = [
        (task, inputs, start, start // config.block)
        for task, inputs, n in drawn
        for start in range(0, max(n, 1), config.block)
    ]

    def block(number: int) -> Task:
        drawing, inputs, start, of_survey = blocks[number]
        place = f"{_WORK}/{drawing.key}/blocks/{of_survey:06d}"
        return _task(
            config,
            "observe-targets",
            drawing.key,
            "observe_block",
            key=f"{drawing.key}-{of_survey:06d}",
            inputs=inputs,
            outputs=(f"{place}/lightcurves", f"{place}/truth.parquet"),
            more={"start": start, "stop": start + config.block},
        )

    return Plan(block, len(blocks))


def observe_block(task: Task, folder: Path) -> dict[str, Any]:
    """Observe some of the supernovae of a survey."""
    simulation, home = _simulation(task.settings), folder / _WORK / task.settings["survey"]
    rows = slice(task.settings["start"], task.settings["stop"])
    targets, truth = Targets.read(home / "targets.parquet"), Truth.read(home / "truth.parquet")
    chosen = np.arange(len(targets))[rows]
    observing = simulation.observing(_exposures(task, folder))
    lightcurves, seen = simulation.observe(targets.select(chosen), truth.select(chosen), observing)
    lightcurves.write(folder / task.outputs[0])
    seen.write(folder / task.outputs[1])
    return {"supernovae": len(lightcurves.targets), "drawn": len(seen), "epochs": len(lightcurves)}


def _plan_gathering(home: Home, config: SimulateConfig) -> list[Task]:
    inputs, blocks = dict[str, str](), []
    for task, receipt in home.receipts_of(_plan_blocks(home, config)):
        if receipt is None:
            raise NotReadyError(f"{task.stage} {task.key} is not done")
        inputs |= {path: one["sha256"] for path, one in receipt.outputs.items()}
        blocks.append([task.settings["survey"], str(Path(task.outputs[0]).parent)])
    return [
        Task(
            stage="gather-lightcurves",
            key="all",
            call=f"{__name__}:gather",
            inputs=inputs,
            outputs=("lightcurves", "truth.parquet"),
            settings={"blocks": blocks, "modes": [one.name for one in config.sample.modes]},
            code=code_version(*_CODE),
        )
    ]


def gather(task: Task, folder: Path) -> dict[str, Any]:
    """Write light curves and truth of all blocks as one."""
    require_x64()
    places = [(survey, folder / path) for survey, path in task.settings["blocks"]]
    modes = tuple(task.settings["modes"])
    blocks = (_with_modes(LightCurves.read(place / "lightcurves"), modes) for _, place in places)
    n = write_lightcurve_parts(folder / task.outputs[0], blocks)
    truths = dict[str, Truth]()
    for survey, place in places:
        block = Truth.read(place / "truth.parquet")
        known = [truths[survey].table] if survey in truths else []
        truths[survey] = replace(block, table=pa.concat_tables([*known, block.table]))
    truth = join_truths(truths)
    truth.write(folder / task.outputs[1])
    return {"supernovae": n, "drawn": len(truth)}


def _with_modes(block: LightCurves, names: tuple[str, ...]) -> LightCurves:
    """Light curves with the modes of all surveys: those of others move nothing here."""
    if not names:
        return block
    derivatives = np.zeros((len(block), len(names)))
    own = [names.index(name) for name in block.modes]
    if own:
        derivatives[:, own] = block["dflux_dmode"]
    return block.with_modes(names, derivatives)


STAGE = Stage(
    name="simulate",
    writes="lightcurves",
    config=SimulateConfig,
    steps={
        "make-logs": _plan_logs,
        "draw-targets": _plan_targets,
        "observe-targets": _plan_blocks,
        "gather-lightcurves": _plan_gathering,
    },
)
