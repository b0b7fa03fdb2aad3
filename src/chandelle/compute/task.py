"""A task: one piece of a stage's work, and the name that all that enters its answer gives it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from chandelle.core.errors import InputError

Facts = Mapping[str, Any]
_ID_LENGTH = 32


@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of a stage's work.

    Parameters
    ----------
    stage : str
        Name of the stage, ``"fit-lightcurves"``.
    key : str
        What of the stage: a block, a night and a CCD, a supernova. Once in a stage.
    call : str
        ``"package.module:function"``; it is called with the task and the folder of the run, reads
        the inputs, writes the outputs whole or not at all, and may return facts for the receipt.
    inputs : mapping of str to str
        Path in the folder of the run (or an address elsewhere), and what identifies its content,
        by `identity.identity_of`.
    outputs : tuple of str
        Paths in the folder of the run; files or folders.
    settings : mapping
        Numbers, words, lists and mappings of them: what JSON holds.
    code : str
        Version of what computes the answer.
    memory_gb : float
        Memory it needs; not part of the name.
    is_isolated : bool
        Whether it runs in a process of its own; not part of the name.
    """

    stage: str
    key: str
    call: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    settings: Facts = field(default_factory=dict)
    code: str = ""
    memory_gb: float = 2.0
    is_isolated: bool = False

    @cached_property
    def id(self) -> str:
        """Hash of stage, key, inputs, settings and code: equal tasks have equal answers."""
        parts = [self.stage, self.key, self.call, dict(self.inputs), list(self.outputs)]
        text = canonical_json([*parts, dict(self.settings), self.code])
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    @property
    def seed(self) -> int:
        """Root of its random numbers, from its name: the same wherever and whenever it runs."""
        return int(self.id[:8], 16)

    def to_json(self) -> str:
        """One line that `from_json` reads."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """Read what `to_json` wrote.

        Raises
        ------
        InputError
            If it is not a task.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            known = {part.name for part in fields(cls)}
            if not isinstance(values, dict) or set(values) != known:
                raise ValueError(f"expected {', '.join(sorted(known))}")
        except ValueError as error:
            raise InputError(f"not a task: {text[:80]!r}, {error}") from error
        values["outputs"] = tuple(values["outputs"])
        return cls(**values)


def canonical_json(value: object) -> str:
    """Text of a value, the same for equal ones whatever the order of their keys.

    Raises
    ------
    InputError
        If JSON does not hold it.
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"settings of a task are numbers, words, lists and mappings of them: {error}"
        ) from error
