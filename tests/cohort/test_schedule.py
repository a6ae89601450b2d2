"""The order of a run, over futures of our own: no cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any

import pytest
from distributed.scheduler import KilledWorker, WorkerState

from gclnm import pipeline
from gclnm.cohort.schedule import MOST_PER_WORKER, PER_WORKER, _Window, finished_tasks
from gclnm.cohort.tasks import Task, group, require_unique, run_task
from gclnm.errors import ClusterError, GclnmError, InputError, ReadError
from gclnm.images import MaskRef, Sample, VolumeRef

PLACE = WorkerState(
    address="tcp://127.0.0.1:1", status="running", pid=1, name="w", nthreads=1, memory_limit=1,
    local_directory="", nanny="", server_id="w",
)  # fmt: skip


def sample(name: str, volume: str = "", files: tuple[str, ...] = ()) -> Sample:
    ref = VolumeRef(volume or name, "image", files or (f"{volume or name}.nii",))
    mask = MaskRef("labelmap", f"{name}.nii", 1)
    return Sample({"image": ref}, {"roi": mask}, {"patient_id": name, "roi": "tumour"})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def run(tasks: list[Task], submit: Callable[[Task], Any], **options: Any) -> list[tuple[Task, Any]]:
    options = {"workers": lambda: 2, "alive": lambda: True, "tick_s": 0.05} | options
    return [news for news in finished_tasks(tasks, submit, **options) if news is not None]


def names(task: Task) -> list[str]:
    return [str(s.coords["patient_id"]) for s in task.samples]


def test_samples_of_one_volume_travel_together_and_large_ones_first(tmp_path: Any) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"1")
    large.write_bytes(b"1" * 1000)
    samples = [
        sample("a", "v1", (str(small),)),
        sample("b", "v2", (str(large),)),
        sample("c", "v1", (str(small),)),
        sample("d", "gone"),
    ]
    assert [names(task) for task in group(samples)] == [["b"], ["a", "c"], ["d"]]


def test_two_samples_that_would_be_one_row_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="a tumour") as caught:
        require_unique([sample("a"), sample("a"), sample("b")])
    assert "a tumour" not in caught.value.reason


def test_every_task_comes_back_once(pool: ThreadPoolExecutor) -> None:
    tasks = [Task((sample(str(i)),)) for i in range(50)]
    outcomes = run(tasks, lambda task: pool.submit(names, task))
    assert sorted(rows[0] for _, rows in outcomes) == sorted(str(i) for i in range(50))


def test_only_a_few_tasks_per_worker_are_in_flight(pool: ThreadPoolExecutor) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def submit(task: Task) -> Future[Any]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        return pool.submit(lambda: time.sleep(0.002) or [])

    for news in finished_tasks(
        [Task((sample(str(i)),)) for i in range(40)], submit, workers=lambda: 2, alive=lambda: True
    ):
        with lock:
            now -= news is not None
    assert most == 2 * PER_WORKER


def test_short_tasks_widen_the_window_and_long_ones_narrow_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("gclnm.cohort.schedule.time.monotonic", lambda: now)
    window = _Window(lambda: 2, every_s=2.0)
    sizes = [window.size()]
    for landed in (4, 40, 4000, 0):
        for _ in range(landed):
            window.landed()
        now += 2.0
        sizes.append(window.size())
    few = 2 * PER_WORKER
    assert sizes == [few, few, 10, 2 * MOST_PER_WORKER, few]


def test_a_sample_that_kills_its_worker_fails_alone(pool: ThreadPoolExecutor) -> None:
    tries: dict[str, int] = {}

    def work(task: Task) -> list[str]:
        for name in names(task):
            tries[name] = tries.get(name, 0) + 1
        if "poison" in names(task) or (not task.alone and "neighbour" in names(task)):
            raise KilledWorker(task="t", last_worker=PLACE, allowed_failures=0)
        return names(task)

    tasks = [Task((sample("a"), sample("poison", "v"), sample("b", "v"))), Task((sample("neighbour"),))]
    tasks += [Task((sample(str(i)),)) for i in range(5)]
    outcomes = run(tasks, lambda task: pool.submit(work, task))
    failed = [(names(task), rows) for task, rows in outcomes if isinstance(rows, GclnmError)]
    assert [name for name, _ in failed] == [["poison"]]
    assert failed[0][1].code == "worker-died"
    assert sorted(name for task, rows in outcomes if isinstance(rows, list) for name in rows) == sorted(
        ["a", "b", "neighbour", *"01234"]
    )
    assert tries["poison"] == 2


def test_a_second_chance_is_taken_alone(pool: ThreadPoolExecutor) -> None:
    flying: set[str] = set()
    beside: list[set[str]] = []
    lock = threading.Lock()

    def work(task: Task) -> list[str]:
        with lock:
            flying.update(names(task))
            if task.alone:
                beside.append(set(flying))
        time.sleep(0.01)
        with lock:
            flying.difference_update(names(task))
        if not task.alone:
            raise KilledWorker(task="t", last_worker=PLACE, allowed_failures=0)
        return names(task)

    run([Task((sample(str(i)),)) for i in range(6)], lambda task: pool.submit(work, task))
    assert len(beside) == 6
    assert all(len(together) == 1 for together in beside)


def test_a_second_chance_waits_until_all_that_died_is_known(pool: ThreadPoolExecutor) -> None:
    """Two workers die together; the scheduler hears of one first, and would use the other next."""
    died = 0.0

    def work(task: Task) -> list[str]:
        nonlocal died
        died = died or time.monotonic()
        if time.monotonic() - died < 0.08:
            raise KilledWorker(task="t", last_worker=PLACE, allowed_failures=0)
        return names(task)

    ((_, rows),) = run([Task((sample("a"),))], lambda task: pool.submit(work, task))
    assert rows == ["a"]


def test_an_error_of_ours_keeps_its_reason_and_a_foreign_one_only_its_type(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_with(error: Exception) -> Any:
        def fail(*_: object) -> None:
            raise error

        return fail

    monkeypatch.setattr(pipeline, "run", fails_with(ReadError("cut short", where="/secret/path")))
    ours = run_task([], recipe=None).outcome  # type: ignore[arg-type]
    monkeypatch.setattr(pipeline, "run", fails_with(RecursionError("/secret/path")))
    foreign = run_task([], recipe=None).outcome  # type: ignore[arg-type]
    ((_, lost),) = run([Task((sample("a"),))], lambda _: pool.submit(fails_with(OSError("/secret/path"))))
    assert isinstance(ours, GclnmError)
    assert isinstance(foreign, GclnmError)
    assert ours.reason == "unreadable: cut short"
    assert foreign.reason == "internal: RecursionError in the worker"
    assert lost.reason == "internal: OSError on the way to or from the worker"


def test_a_cluster_that_goes_away_ends_the_run(pool: ThreadPoolExecutor) -> None:
    def gone() -> None:
        raise CancelledError

    with pytest.raises(ClusterError, match="went away"):
        run([Task((sample("a"),))], lambda _: pool.submit(gone))
    never: Future[Any] = Future()
    with pytest.raises(ClusterError, match="went away"):
        run([Task((sample("a"),))], lambda _: never, alive=lambda: False)


def test_a_quiet_time_is_told_so_that_rows_can_be_committed() -> None:
    slow: Future[Any] = Future()
    news = finished_tasks(
        [Task((sample("a"),))], lambda _: slow, workers=lambda: 1, alive=lambda: True, tick_s=0.01
    )
    assert next(news) is None
    slow.set_result([])
    assert next(item for item in news if item is not None)[1] == []


def test_what_flies_is_cancelled_when_the_caller_stops() -> None:
    futures: list[Future[Any]] = []

    def submit(_: Task) -> Future[Any]:
        futures.append(Future())
        return futures[-1]

    news = finished_tasks(
        [Task((sample(str(i)),)) for i in range(9)],
        submit,
        workers=lambda: 1,
        alive=lambda: True,
        tick_s=0.01,
    )
    assert next(news) is None
    news.close()
    assert futures
    assert all(future.cancelled() for future in futures)
