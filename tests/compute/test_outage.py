"""A place that is away: tasks wait for it, are not given up, and do not all knock at once."""

import pytest
from small_tasks import drive, task

from chandelle.compute.drive import Driver, PlaceError
from chandelle.compute.engine import SerialEngine
from chandelle.compute.policy import Clock, Policy
from chandelle.compute.waiting import Attempt, Waiting, backoff
from chandelle.compute.work import Outcome


class Archive(SerialEngine):
    """Tasks of a second each that need an archive, which is away for some time."""

    def __init__(self, folder, away: tuple[float, float], workers: int = 4) -> None:
        super().__init__(folder)
        self.away, self.n_workers, self.now = away, workers, 0.0
        self.knocks: list[float] = []
        self.attempts: dict[str, int] = {}

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self._pass)

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def window(self) -> int:
        return 3 * self.n_workers

    def workers(self) -> int:
        return self.n_workers

    def wait(self, timeout: float) -> list[Outcome]:
        self.now += 1.0
        found = []
        for _ in range(min(self.n_workers, len(self._waiting))):
            one, attempt, _ = self._waiting.popleft()
            is_away = self.away[0] <= self.now < self.away[1]
            self.knocks += [self.now] if is_away else []
            self.attempts[one.id] = attempt
            error = {"reason": "transient", "error": "archive: 503"} if is_away else {}
            found.append(Outcome(id=one.id, wall_s=1.0, **error))
        return found


def run(engine: Archive, folder, n_task: int):
    driver = Driver(engine, folder, "squares", policy=Policy(), clock=engine.clock)
    return driver.run([task(k) for k in range(n_task)], total=n_task)


def test_an_archive_that_is_away_for_ten_minutes_costs_no_task(tmp_path, caplog):
    engine = Archive(tmp_path, (20.0, 620.0))
    tally = run(engine, tmp_path, 400)
    assert (tally.done, tally.failed) == (400, {})
    assert len(engine.knocks) < 50
    assert engine.now < 620.0 + 60.0 + 400 / 4 + 20.0
    assert "failed for their place (archive: 503); trying one at a time" in caplog.text
    assert "the place is there again" in caplog.text


def test_a_place_that_stays_away_ends_the_run_and_nothing_is_given_up(tmp_path):
    engine = Archive(tmp_path, (5.0, float("inf")))
    with pytest.raises(PlaceError, match=r"503; 384 of 400 tasks are left: see what is away"):
        run(engine, tmp_path, 400)
    assert 900.0 < engine.now < 1100.0
    assert not list((tmp_path / "receipts" / "squares").glob("??/*"))


class Cursed(Archive):
    """Some tasks fail for their place whenever they run; one way or, in later runs, another."""

    def __init__(self, folder, cursed: set[str], later: str = "transient") -> None:
        super().__init__(folder, (0.0, 0.0))
        self.cursed, self.later, self.runs = cursed, later, dict[str, int]()

    def wait(self, timeout: float) -> list[Outcome]:
        keys = {one.id: one.key for one, _, _ in self._waiting}
        found = []
        for outcome in super().wait(timeout):
            self.runs[outcome.id] = self.runs.get(outcome.id, 0) + 1
            reason = "transient" if self.runs[outcome.id] == 1 else self.later
            is_cursed = keys[outcome.id] in self.cursed
            found += [Outcome(id=outcome.id, reason=reason)] if is_cursed else [outcome]
        return found


@pytest.mark.parametrize("cursed", [range(90, 100), range(0, 100, 10)])
def test_tasks_that_always_fail_do_not_keep_the_others_from_an_end(tmp_path, cursed):
    engine = Cursed(tmp_path, {f"k{number}" for number in cursed})
    tally = run(engine, tmp_path, 100)
    assert (tally.done, tally.failed, tally.left) == (90, {"transient": 10}, 0)


def test_no_task_is_left_out_where_those_of_an_outage_die(tmp_path):
    engine = Cursed(tmp_path, {f"k{number}" for number in range(24)}, later="lost")
    tally = run(engine, tmp_path, 100)
    assert (tally.done, tally.failed, tally.left) == (76, {"lost": 24}, 0)


def test_a_few_tasks_that_fail_alone_are_given_up_after_their_retries(tmp_path):
    never = drive(tmp_path, [task(5, "flaky")], Policy(retries=1, backoff_s=0.01))
    assert never.failed == {"transient": 1}


def test_waits_grow_and_are_spread():
    waits = [backoff(Attempt(task(1), number=n), Policy()) for n in (1, 2, 3, 4)]
    assert all(0.5 * 4**k <= wait <= 1.5 * 4**k for k, wait in enumerate(waits))
    firsts = {backoff(Attempt(task(k)), Policy()) for k in range(50)}
    assert len(firsts) > 30


def test_those_that_are_ready_come_first_and_the_lonely_last():
    waiting = Waiting()
    for number, ready in ((1, 5.0), (2, 1.0), (3, 9.0)):
        waiting.add(Attempt(task(number), ready=ready))
    waiting.add(Attempt(task(4), is_alone=True))
    assert len(waiting) == 4
    assert waiting.next(0.5) is None
    assert [waiting.next(6.0).task.key, waiting.next(6.0).task.key] == ["k2", "k1"]
    assert waiting.next_alone() is None
    assert waiting.next(9.0).task.key == "k3"
    assert waiting.next_alone().task.key == "k4"
