"""What the TOML of a camera may hold, and how a wrong key is explained."""

import difflib
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Direction = Literal[-1, 1]


class _Table(BaseModel):
    """A table of the file: unknown keys are refused, no type is bent, numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SiteTable(_Table):
    """``[site]``: where the telescope stands."""

    latitude_deg: float = Field(ge=-90, le=90)
    longitude_deg: float = Field(ge=-180, le=360)
    height_m: float


class FilterRow(_Table):
    """A row of ``filters``: its passband is one of the package, or a file beside the TOML."""

    name: str
    passband: str
    code: str
    number: int


class CcdRow(_Table):
    """A row of ``ccds``.

    Without `first_rcid`, the rcid of its first quadrant is (id - 1) x quadrants a CCD; without
    `rotation_deg`, that of the camera.
    """

    id: Count
    center_deg: tuple[float, float] = Field(default=(0.0, 0.0), strict=False)
    rotation_deg: float | None = None
    first_rcid: int | None = Field(default=None, ge=0)


class AmplifierRow(_Table):
    """A row of ``amplifiers``: one quadrant of each CCD."""

    qid: Count
    x0: int = Field(default=0, ge=0)
    y0: int = Field(default=0, ge=0)
    read_x: Direction
    read_y: Direction
    raw_x: Direction = 1
    raw_y: Direction = 1
    science_extension: Count
    overscan_extension: int = Field(default=0, ge=0)


class QuadrantTable(_Table):
    """``[quadrant]``: what all quadrants share unless ``overrides`` says otherwise."""

    n_rows: Count
    n_columns: Count
    gain: Positive
    read_noise: NotNegative
    dark_current: NotNegative = 0.0
    saturation_dn: Positive
    full_well: Positive
    overscan_columns: int = Field(ge=0)
    bias_dn: NotNegative
    response_a: float = 0.0
    response_b: float = 0.0
    pocket_alpha: float | None = Field(default=None, ge=1)
    pocket_cmax: Positive | None = None
    pocket_beta: float | None = Field(default=None, gt=0, lt=1)
    pocket_nmax: Positive | None = None


_SAME_SHAPE = ("n_rows", "n_columns", "overscan_columns")
OVERRIDABLE = tuple(key for key in QuadrantTable.model_fields if key not in _SAME_SHAPE)
"""Keys of a quadrant that may differ from one to the next."""


class OverridesTable(_Table):
    """``[overrides]``: one row a quadrant, for the columns named."""

    columns: list[str] = []
    rows: list[list[float]] = []

    @model_validator(mode="after")
    def _check(self) -> "OverridesTable":
        known = ("rcid", *OVERRIDABLE)
        unknown = [name for name in self.columns if name not in known]
        if unknown:
            raise ValueError(f"unknown column {unknown[0]!r}; known: {', '.join(known)}")
        if self.rows and "rcid" not in self.columns:
            raise ValueError("expected a column 'rcid', found none; add it")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column is named twice; remove one")
        return self


class CameraTable(_Table):
    """The whole file."""

    name: str
    pixel_scale_arcsec: Positive
    exposure_s: Positive
    overhead_s: NotNegative
    rotation_deg: float = 0.0
    is_mirrored: bool = False
    site: SiteTable
    filters: list[FilterRow] = Field(min_length=1)
    ccds: list[CcdRow] = Field(min_length=1)
    amplifiers: list[AmplifierRow] = Field(min_length=1)
    quadrant: QuadrantTable
    overrides: OverridesTable = OverridesTable()


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Say which key is wrong first, what was expected, what was found, and the mend.

    Parameters
    ----------
    error : ValidationError
        As pydantic raised it.
    model : type
        What was validated.

    Returns
    -------
    str
        One line, without the name of the file.
    """
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    name = str(first["loc"][-1]) if first["loc"] else ""
    known = _known(model, first["loc"][:-1])
    if first["type"] == "missing":
        return f"{key}: missing; expected {_expected(model, first['loc'])}; add it"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        return f"{key}: unknown key; did you mean {near!r}? Known: {', '.join(known)}"
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{key}: {said}"
    return f"{key}: {said}; found {first['input']!r}; change it"


def _table_of(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """The table that a path of keys and row numbers leads to."""
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            inner = next(iter(get_args(annotation)), annotation)
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                model = inner
    return model


def _known(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Keys of the table at a path."""
    return list(_table_of(model, path).model_fields)


def _expected(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """What a key should hold, in words."""
    annotation = _table_of(model, path[:-1]).model_fields[str(path[-1])].annotation
    if annotation in (int, float, str, bool):
        return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[
            annotation
        ]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a table with {', '.join(annotation.model_fields)}"
    choices = get_args(annotation)
    if choices and isinstance(choices[0], type) and issubclass(choices[0], BaseModel):
        return f"a list of tables with {', '.join(choices[0].model_fields)}"
    return " or ".join(str(choice) for choice in choices)
