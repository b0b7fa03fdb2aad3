"""Work without workers: it is told, more are asked for; it ends unless some are on their way."""

import logging

import pytest
from small_tasks import drive, task

from chandelle.compute.engine import SerialEngine
from chandelle.compute.policy import Clock, Policy
from chandelle.compute.tally import Tally
from chandelle.compute.watchdog import NoWorkersError, Watchdog

HOUR_S = 3600.0


class Deserted(SerialEngine):
    """Takes tasks and has no workers; counts how often it is asked."""

    waits_in_queue, asked, looked = 0, 0, 0

    def wait(self, timeout: float) -> list:
        return []

    def workers(self) -> int:
        return 0

    def queued(self) -> int:
        self.looked += 1
        return self.waits_in_queue

    def revive(self) -> str:
        self.asked += 1
        return "asked for more"


def watched(engine: Deserted, *, until: float, now: list[float], step_s: float = 1.0) -> None:
    """Look at an engine once a second of a clock of its own."""
    dog = getattr(engine, "dog", None) or Watchdog(
        engine, "squares", Policy(), Clock(now=lambda: now[0])
    )
    engine.dog = dog
    while now[0] < until:
        now[0] += step_s
        dog.look(1, Tally(total=3))


def test_work_without_workers_is_told_and_ends(tmp_path, caplog):
    engine = Deserted(tmp_path)
    with pytest.raises(NoWorkersError, match=r"squares: no worker for .* 1 tasks are left"):
        drive(tmp_path, [task(1)], Policy(report_s=0.0, give_up_s=0.0), engine=engine)
    now = [0.0]
    with pytest.raises(NoWorkersError, match=r"no worker for 9\d\d s, 3 tasks are left"):
        watched(Deserted(tmp_path), until=HOUR_S, now=now)
    assert "1 tasks are out and no worker is there for 30 s, 0 are on their way" in caplog.text


def test_a_run_waits_for_its_queue_and_for_the_jobs_that_have_just_left_it(tmp_path, caplog):
    engine, now = Deserted(tmp_path), [0.0]
    engine.waits_in_queue = 2
    watched(engine, until=20 * HOUR_S, now=now)
    engine.waits_in_queue = 0
    watched(engine, until=20 * HOUR_S + 600.0, now=now)
    with pytest.raises(NoWorkersError):
        watched(engine, until=21 * HOUR_S, now=now)
    assert now[0] == pytest.approx(20 * HOUR_S + 900.0, abs=65.0)
    assert engine.looked < 21 * HOUR_S / 30.0 + 2
    said = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 20 < len(said) == engine.asked < 40
