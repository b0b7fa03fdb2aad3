"""A survey on disk: its folder, its settings, the stages of its chain.

Settings stand in ``survey.toml``, a table a stage; without the file, or a table, those by default.
"""

import tomllib
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from chandelle.compute.stage import Home, Stage
from chandelle.compute.steps import Resources
from chandelle.core.config import StageConfig
from chandelle.core.errors import InputError

SETTINGS = "survey.toml"
_RESOURCES = tuple(Resources.model_fields)
_STAGES = {
    "simulate-frames": "chandelle.simulate.frames.tasks",
    "simulate": "chandelle.simulate.tasks",
    "fit-lightcurves": "chandelle.lightcurve.tasks",
    "standardize": "chandelle.standardization.tasks",
    "cosmology": "chandelle.cosmology.tasks",
    "report": "chandelle.report.tasks",
}
"""Modules of the stages in the order of the chain; each holds a `STAGE`."""
_BEGINS = {"fit-lightcurves": "lightcurves", "standardize": "saltfits/fits.parquet"}
"""Stages that a survey can begin with, and what it then has."""
_ON_DEMAND = {"simulate-frames", "simulate"}
"""Stages that run only where the settings have a table of theirs."""
_ENDS = {"simulate-frames"}
"""Stages that no other goes on from yet."""


def is_survey(folder: Path) -> bool:
    """Whether a folder is that of a survey: with settings, or something to begin from."""
    return any((folder / name).exists() for name in (SETTINGS, *_BEGINS.values()))


@dataclass(frozen=True)
class Survey:
    """A survey on disk.

    Parameters
    ----------
    folder : Path
        Its folder, with a product to begin from or settings of a simulation.

    Raises
    ------
    InputError
        If there is no such folder.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise InputError(
                f"{self.folder}: expected the folder of a survey, with lightcurves/ or "
                f"saltfits/fits.parquet, or with {SETTINGS} and a table [simulate] in it; found "
                "no folder"
            )

    @cached_property
    def home(self) -> Home:
        """The folder as planners see it."""
        return Home(self.folder)

    @cached_property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Settings of each stage as they stand in the file.

        Raises
        ------
        InputError
            If it is no TOML, or has a table of no stage.
        """
        path = self.folder / SETTINGS
        if not path.is_file():
            return {}
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: expected TOML, {error}") from error
        for name, table in tables.items():
            if name not in _STAGES or not isinstance(table, dict):
                raise InputError(
                    f"{path}: {name}: expected tables of settings, [{'], ['.join(_STAGES)}]"
                )
        return tables

    def stages(self, *, start: str | None = None, until: str | None = None) -> list[Stage]:
        """Give the stages of the chain, in their order.

        Parameters
        ----------
        start, until : str, optional
            First and last of them; by default from the first whose input is there.

        Returns
        -------
        list of Stage
            What there is to run.

        Raises
        ------
        InputError
            If there is no stage of that name, or nothing to begin from.
        """
        for name in (start, until):
            if name is not None and name not in _STAGES:
                raise InputError(f"no stage {name}; there are {', '.join(_STAGES)}")
        names = [name for name in _STAGES if name not in _ON_DEMAND or name in self.tables]
        first = start or self._first()
        if first not in names:
            raise InputError(f"{self.folder / SETTINGS}: has no table [{first}], which it needs")
        chosen = [first] if first in _ENDS else names[names.index(first) :]
        if until is not None:
            if until not in chosen:
                raise InputError(f"{until} does not come after {first} in the chain")
            chosen = chosen[: chosen.index(until) + 1]
        return [import_module(_STAGES[name]).STAGE for name in chosen]

    def config(self, stage: Stage) -> StageConfig:
        """Settings of a stage.

        Raises
        ------
        InputError
            If one is unknown or impossible.
        """
        where = f"{self.folder / SETTINGS} [{stage.name}]"
        table = self.tables.get(stage.name, {})
        settings = {name: value for name, value in table.items() if name not in _RESOURCES}
        return stage.config.of(where, **settings)

    def resources(self, stage: Stage) -> Resources:
        """What the tasks of a stage are given: `memory_gb`, `isolated` in its table.

        Raises
        ------
        InputError
            If one is of another kind.
        """
        where = f"{self.folder / SETTINGS} [{stage.name}]"
        table = self.tables.get(stage.name, {})
        return Resources.of(where, **{name: table[name] for name in _RESOURCES if name in table})

    def _first(self) -> str:
        """First stage that has something to begin from."""
        for name in _STAGES:
            if name in _ON_DEMAND and name in self.tables:
                return name
        for name, product in _BEGINS.items():
            if (self.folder / product).exists():
                return name
        raise InputError(
            f"{self.folder}: nothing to begin from; expected {' or '.join(_BEGINS.values())}, or a "
            f"table [{'] or ['.join(sorted(_ON_DEMAND))}] in {SETTINGS}"
        )
