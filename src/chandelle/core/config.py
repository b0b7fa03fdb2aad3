"""Configuration of a stage: one pydantic model, frozen, unknown keys refused."""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from chandelle.core.errors import InputError

_C = TypeVar("_C", bound="StageConfig")


class StageConfig(BaseModel):
    """Base of every stage's settings; read from TOML, written back beside the product."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    @classmethod
    def of(cls: type[_C], where: str, **settings: Any) -> _C:
        """Check settings given as arguments of the function `where`.

        Raises
        ------
        InputError
            On an unknown name or an impossible value.
        """
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise InputError(_explain(error, where=where, known=cls.model_fields)) from error

    def record(self) -> dict[str, Any]:
        """Settings as they go into a provenance, which is JSON: infinity is a word there."""
        return json.loads(self.model_dump_json())

    @classmethod
    def from_toml(cls: type[_C], path: str | Path, *, table: str | None = None) -> _C:
        """Read the settings from a TOML file (or one `table` of it).

        Raises
        ------
        InputError
            On an unknown key, a wrong type, or a file that is not TOML.
        """
        path = Path(path)
        if path.suffix.lower() in {".yaml", ".yml"}:
            raise InputError(f"{path}: YAML is refused (it can run code); write it as TOML")
        if not path.is_file():
            raise InputError(f"{path}: expected a file of settings (TOML), found none")
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: expected TOML, {error}") from error
        if table is not None:
            values = values.get(table, {})
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(_explain(error, where=str(path), known=cls.model_fields)) from error


def _explain(error: ValidationError, *, where: str, known: Iterable[str]) -> str:
    """Say what the first wrong setting is, and which there are."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{where}: {key}: {first['msg']}; known settings: {', '.join(known)}"
