"""Run commands in this process, or as a user's shell does."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from chandelle.cli.main import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys) -> Callable[..., Result]:
    """Run a command in this process."""

    def call(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code=int(stop.value.code or 0), out=captured.out, err=captured.err)

    return call


@pytest.fixture
def shell() -> Callable[..., Result]:
    """Run a command in a process of its own."""

    def call(*arguments: object) -> Result:
        command = [sys.executable, "-m", "chandelle", *(str(argument) for argument in arguments)]
        environment = {**os.environ, "COLUMNS": "100"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
        return Result(code=done.returncode, out=done.stdout, err=done.stderr)

    return call
