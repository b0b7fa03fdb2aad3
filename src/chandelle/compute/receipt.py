"""A receipt: what one run of one task came to, as one file of JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from chandelle.core.errors import InputError

Status = Literal["done", "failed"]
Reason = Literal["", "data", "transient", "memory", "lost", "program"]
"""Why a task failed: its data or settings; the place it ran at; too little memory; the death of its
process; an error of the program."""
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What one run of a task came to.

    Parameters
    ----------
    id, stage, key : str
        Of the task.
    status : "done" or "failed"
        A failed one is a dead letter: nothing tries again unless asked.
    reason, error : str
        Why it failed, for a machine and for a reader.
    inputs : mapping of str to str
        What identified each input.
    outputs : mapping of str to mapping
        SHA-256, bytes and number of files of each output.
    settings : mapping
        Of the task.
    code : str
        Version of what computed it.
    seed : int
        Root of its random numbers.
    started, ended : str
        UTC of the host it ran on, which may be off.
    wall_s, cpu_s, peak_gb : float
        Time and memory it took.
    host, job : str
        Machine, and number of the batch job where there was one.
    attempt : int
        Which run it was, from one.
    versions : mapping of str to str
        Python and libraries.
    facts : mapping
        What the task wished to say, counts for example.
    """

    id: str
    stage: str
    key: str
    status: Status
    reason: Reason = ""
    error: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    seed: int = 0
    started: str = ""
    ended: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_gb: float = 0.0
    host: str = ""
    job: str = ""
    attempt: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether the task has its outputs."""
        return self.status == "done"

    def to_json(self) -> str:
        """Text that `from_json` reads."""
        return json.dumps({"schema": SCHEMA} | asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Receipt":
        """Read what `to_json` wrote; what it does not know it passes over.

        Raises
        ------
        InputError
            If it is not a whole receipt.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(f"not a whole receipt: {error}") from error
        if not isinstance(values, dict):
            raise InputError("not a whole receipt: expected entries with names")
        if values.get("schema") != SCHEMA:
            raise InputError(f"a receipt of another version than {SCHEMA}")
        try:
            return cls(**{name: values[name] for name in _NAMES})
        except KeyError as error:
            raise InputError(f"not a whole receipt: {error.args[0]} is missing") from error


_NAMES = tuple(part.name for part in fields(Receipt))
