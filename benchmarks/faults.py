"""What a store and a run lose when they are killed: nothing. A table of faults, with the counting shown.

    python benchmarks/faults.py                  # 200 kills and the other faults, about 20 minutes
    python benchmarks/faults.py --kills 12       # the same, small
    python benchmarks/faults.py --only "kill -9 of a writer" --kills 20

Victims (`victims.py`) are processes of their own that print what the store has acknowledged, after its
append has returned. Each fault comes at a random moment. Afterwards another process looks: the store opens;
its commits are whole; its own check() is clean; every acknowledged revision of a row is there, with the
digest that was acknowledged ("lost" counts those that are not); no key has two current rows and no revision
is there twice ("doubled"); and every value is, bit by bit, that which the key and revision must have, in an
extraction that of a run without a fault ("wrong" counts rows). At the end the same line is run once more
without a fault, and must complete the set ("completed").
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

VICTIMS = Path(__file__).with_name("victims.py")
SET = "faults"
SAMPLES = 24
FAILED = 3
PER_STORE = 20
LONGEST_S = 120.0
MISSES = 5
"""After so many stores in a row without a fault a line gives up."""
YEAR_S = 365 * 86_400
CLOCK = Path(__file__).parents[1] / "tests" / "store" / "clock.c"


@dataclass
class Line:
    """One line of the table."""

    fault: str
    tried: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    stores: int = 0
    completed: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled, wrong or broken, and every store could be completed."""
        return not (self.lost or self.doubled or self.wrong or self.broken) and self.completed == self.stores


class Victim:
    """A process that will be killed, and what it has said."""

    def __init__(
        self,
        *arguments: str,
        folder: Path,
        prefix: tuple[str, ...] = (),
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.said, self.errors = (folder / f"{name}-{time.monotonic_ns()}" for name in ("said", "errors"))
        with self.said.open("wb") as out, self.errors.open("wb") as err:
            command = [*prefix, sys.executable, str(VICTIMS), *arguments]
            surroundings = {**os.environ, **(more or {})}
            # Its own group: Ctrl-C is sent to it alone.
            self.process = subprocess.Popen(
                command, stdout=out, stderr=err, env=surroundings, start_new_session=True
            )

    def lines(self) -> list[dict[str, Any]]:
        """Whole lines; the last one may have been cut by the kill, and is then no acknowledgement."""
        *whole, _ = self.said.read_text().split("\n")
        return [json.loads(line) for line in whole]

    def acknowledged(self) -> list[tuple[str, str]]:
        """Keys and digests of the rows that the store has taken, in order."""
        return [
            (key, digest)
            for line in self.lines()
            if line["what"] == "acknowledged"
            for key, digest in line["rows"]
        ]

    def last(self) -> dict[str, Any]:
        """The last thing it said."""
        return (self.lines() or [{"what": "nothing"}])[-1]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until something is so or the process has ended; an error after two minutes."""
        until = time.monotonic() + LONGEST_S
        while self.process.poll() is None and not condition():
            if time.monotonic() > until:
                self.process.kill()
                raise TimeoutError(f"a victim hangs; it said {self.last()}")
            time.sleep(0.005)

    def started(self) -> None:
        """Until its imports are done."""
        self.wait_for(lambda: self.said.stat().st_size > 0)

    def end(self) -> dict[str, Any]:
        """Until it has ended by itself; the last thing it said."""
        self.wait_for(lambda: False)
        return self.last()

    def family(self) -> list[psutil.Process]:
        """The processes it has started."""
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """At once, as a lost machine would."""
        self.process.kill()
        self.process.wait()


Values = dict[str, list[float]]
"""The values of an extraction without a fault, by sample."""


def judge(url: str, acknowledged: list[tuple[str, str]], line: Line, whole_run: Values | None = None) -> None:
    """Count what is lost, doubled and wrong in a store, and what else is the matter with it."""
    from gclnm.errors import GclnmError
    from gclnm.store.store import open_store

    try:
        store = open_store(url, mode="r")
        columns = rows_of(store)
    except GclnmError as error:
        # Killed before there was a store: then nothing can have been acknowledged.
        if acknowledged or error.code != "no-store":
            line.broken.append(str(error))
            line.lost += len(set(acknowledged))
        return
    if not columns:
        line.lost += len(set(acknowledged))
        return
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        line.broken.append(f"arrays of different lengths: {lengths}")
    revisions = list(zip(columns["sample_id"], columns["revision"], strict=True))
    there = set(zip(columns["sample_id"], columns["inputs_sha256"], strict=True))
    line.lost += len(set(acknowledged) - there)
    current = Counter(key for key, now in zip(columns["sample_id"], columns["current"], strict=True) if now)
    line.doubled += sum(count - 1 for count in current.values() if count > 1)
    line.doubled += len(revisions) - len(set(revisions))
    line.wrong += wrong_rows(columns, whole_run or {})
    if set(current) != set(columns["sample_id"]):
        line.broken.append("a key without a current row")
    check = getattr(store, "check", None)
    if check is not None and not check().ok:
        line.broken.append(str(check()))


def wrong_rows(columns: dict[str, list[Any]], whole_run: Values) -> int:
    """How many rows hold other values than they must."""
    from victims import recipe, row

    made_by, wrong = recipe(), 0
    names = ("sample_id", "revision", "inputs_sha256", "status", "value")
    for key, revision, digest, status, values in zip(*(columns[name] for name in names), strict=True):
        if status != "ok":
            # A failed row of an extraction; what it holds is looked at by check().
            continue
        if number := re.fullmatch(r"key-(\d{6})", key):
            right = row(int(number[1]), revision, made_by)
            same = digest == right.inputs_sha256 and np.array_equal(values, right.values)
        else:
            same = key in whole_run and np.array_equal(values, whole_run[key], equal_nan=True)
        wrong += not same
    return wrong


def run_without_fault(images: str, folder: Path) -> Values:
    """What the samples' values are: those of one extraction that nothing happens to."""
    from gclnm.store.store import open_store

    url = str(folder / "whole-run")
    victim = Victim("extract", images, url, folder=folder)
    if not whole(said := victim.end()):
        raise RuntimeError(f"a run without a fault ended with {said} {victim.errors.read_text()[-500:]}")
    columns = rows_of(open_store(url, mode="r"))
    return dict(zip(columns["sample_id"], columns["value"], strict=True))


def rows_of(store: Any) -> dict[str, list[Any]]:
    """Every array with one entry a row, read past the store's own reader; empty where no set is yet."""
    from gclnm.store.layout import arrays, set_group

    repository = store._repository
    group = set_group(repository.root(repository.tip()), SET)
    if group is None:
        return {}
    found = {
        name: array[:].tolist()
        for name, array in arrays(group).items()
        if array.metadata.to_dict().get("dimension_names", ("",))[0] == "sample"
    }
    if not found["sample_id"]:
        return {}
    return found


# --- faults: each is tried `count` times and fills one line


class Trial:
    """The stores of one line, their victims and what these were told."""

    def __init__(self, fault: str, place: Path, count: int, chance: random.Random) -> None:
        self.line, self.count, self.chance = Line(fault), count, chance
        self.folder = Path(tempfile.mkdtemp(dir=place))
        self.images = str(place / "images")
        self.whole_run: Values = {}
        self.before, self.missed = -1, 0
        self.url = ""
        self.told: list[tuple[str, str]] = []
        self.left: list[psutil.Process] = []

    def left_to_try(self) -> bool:
        """Whether more faults are wanted."""
        return self.line.tried < self.count

    def another_store(self) -> bool:
        """Whether more faults are wanted; a line whose runs end before they can be hit gives up."""
        self.missed = self.missed + 1 if self.line.tried == self.before else 0
        self.before = self.line.tried
        if self.left_to_try() and self.missed == MISSES:
            self.line.broken.append(f"{MISSES} runs in a row ended before they could be hit")
            return False
        return self.left_to_try()

    def new_store(self, url: str = "") -> None:
        """Another store; nothing of it is known yet."""
        self.told = []
        self.url = url or str(self.folder / f"store-{self.line.stores}")
        self.line.stores += 1

    def victim(
        self,
        job: str,
        *options: str,
        prefix: tuple[str, ...] = (),
        more: Mapping[str, str] | None = None,
    ) -> Victim:
        """The next process that will be hit; ``more`` is added to its environment."""
        if job == "extract" and not self.whole_run:
            self.whole_run = run_without_fault(self.images, self.folder)
        places = (self.url,) if job == "writer" else (self.images, self.url)
        return Victim(job, *places, *options, folder=self.folder, prefix=prefix, more=more)

    def moment(self, victim: Victim) -> bool:
        """Wait for a random moment of a run, every other one while rows come in; whether it still runs."""
        seconds = self.chance.uniform(0.5, 4.0)
        if self.line.tried % 2:
            victim.wait_for(lambda: bool(victim.acknowledged()))
            seconds = self.chance.uniform(0.0, 1.0)
        until = time.monotonic() + seconds
        victim.wait_for(lambda: time.monotonic() > until)
        return victim.process.poll() is None

    def look(self, victim: Victim, faults: int = 1) -> None:
        """After a fault."""
        told = victim.acknowledged()
        self.line.tried += faults
        self.line.acknowledged += len(told)
        self.told += told
        judge(self.url, self.told, self.line, self.whole_run)

    def complete(self, job: str, *options: str, more: Mapping[str, str] | None = None) -> None:
        """The same line once more, without a fault."""
        self.ended(self.victim(job, *options, more=more))

    def ended(self, victim: Victim) -> None:
        """A victim that was not hit: everything must be there when it ends."""
        said = victim.end()
        self.told += victim.acknowledged()
        judge(self.url, self.told, self.line, self.whole_run)
        complete = said["what"] == "end" and ("done" not in said or whole(said))
        self.line.completed += complete
        if not complete:
            self.line.broken.append(f"not completed: {said} {victim.errors.read_text()[-500:]}")

    def orphans(self) -> None:
        """Processes that outlive their client by more than a minute."""
        for process in psutil.wait_procs(self.left, timeout=90)[1]:
            self.line.broken.append(f"a process was left: {process.pid}")
        shutil.rmtree(self.folder, ignore_errors=True)


def whole(said: dict[str, Any]) -> bool:
    """Whether an extraction's last words are that every sample is done."""
    return bool(said["what"] == "end" and said["done"] + said["skipped"] == SAMPLES and said["failed"] == 0)


def kill_writer(trial: Trial) -> None:
    """A process that appends and replaces; half of the kills come while it opens or makes the store."""
    while trial.another_store():
        trial.new_store()
        for number in range(min(PER_STORE, trial.count - trial.line.tried)):
            victim = trial.victim("writer")
            victim.started()
            if number % 2:
                victim.wait_for(lambda victim=victim: bool(victim.acknowledged()))  # type: ignore[misc]
            time.sleep(trial.chance.uniform(0.0, 0.6))
            victim.kill()
            if victim.process.returncode != -signal.SIGKILL:
                trial.line.broken.append(f"it ended by itself: {victim.errors.read_text()[-500:]}")
            trial.look(victim)
        trial.complete("writer", "--commits", "3")


def kill_client(trial: Trial) -> None:
    """The process that calls extract, from the start of its workers to its last commit."""
    while trial.another_store():
        trial.new_store()
        hit_until_complete(trial, lambda victim: victim.kill())


def hit_until_complete(trial: Trial, hit: Callable[[Victim], None]) -> None:
    """Extract, hit at a random moment and look, again and again until a run gets to its end."""
    while trial.left_to_try():
        victim = trial.victim("extract")
        victim.started()
        if not trial.moment(victim):
            return trial.ended(victim)
        trial.left += victim.family()
        hit(victim)
        trial.look(victim)
    return trial.complete("extract")


def kill_workers(trial: Trial, nannies: bool = False) -> None:
    """Workers of a run, or the nannies that restart them, one after the other until it ends."""
    while trial.another_store():
        trial.new_store()
        victim = trial.victim("extract")
        kills = 0
        while victim.process.poll() is None and trial.line.tried + kills < trial.count:
            family = victim.family()
            trial.left += family
            targets = [process for process in family if is_nanny(process, victim) == nannies]
            if len(targets) >= (1 if kills else 2):
                time.sleep(trial.chance.uniform(0.0, 2.0))
                with contextlib.suppress(psutil.NoSuchProcess):
                    trial.chance.choice(targets).kill()
                    kills += 1
            time.sleep(0.1)
        said = victim.end()
        if said["what"] != "end" and said.get("code") not in ("cluster-lost", "no-workers"):
            trial.line.broken.append(f"the run ended with {said} {victim.errors.read_text()[-500:]}")
        trial.look(victim, kills)
        trial.complete("extract")


def kill_nannies(trial: Trial) -> None:
    """See `kill_workers`."""
    kill_workers(trial, nannies=True)


def is_nanny(process: psutil.Process, victim: Victim) -> bool:
    """Whether a process was started by the victim itself (a nanny), or by a nanny (its worker)."""
    try:
        return bool(process.ppid() == victim.process.pid)
    except psutil.NoSuchProcess:
        return False


def interrupt(trial: Trial, times: int = 1) -> None:
    """Ctrl-C at a random moment: the run says how much is committed, and that is in the store."""

    def press(victim: Victim) -> None:
        asked = time.monotonic()
        for _ in range(times):
            victim.process.send_signal(signal.SIGINT)
            time.sleep(trial.chance.uniform(0.0, 0.2))
        victim.end()
        seconds = time.monotonic() - asked
        if seconds > 10:
            trial.line.broken.append(f"Ctrl-C took {seconds:.0f} s")
        words, told = victim.errors.read_text(), len(victim.acknowledged())
        if "committed" in words and f"committed {told} rows done" not in words:
            trial.line.broken.append(f"{told} rows were acknowledged, it says: {words[-200:]}")

    while trial.another_store():
        trial.new_store()
        hit_until_complete(trial, press)


def interrupt_twice(trial: Trial) -> None:
    """See `interrupt`."""
    interrupt(trial, times=2)


def kill_scheduler(trial: Trial) -> None:
    """Scheduler and workers as Dask's command line starts them; the scheduler is killed in mid run."""
    for _ in range(trial.count):
        trial.new_store()
        with dask_by_command_line(trial.folder) as (place, processes):
            victim = trial.victim("extract", "--scheduler", place)
            victim.started()
            victim.wait_for(lambda victim=victim: bool(victim.acknowledged()))  # type: ignore[misc]
            time.sleep(trial.chance.uniform(0.0, 1.5))
            processes[0].kill()
            asked = time.monotonic()
            said = victim.end()
            seconds = time.monotonic() - asked
            clean = said["what"] == "error" and said["code"] == "cluster-lost" and seconds < 20
            if not (clean or whole(said)):
                trial.line.broken.append(f"after {seconds:.0f} s: {said} {victim.errors.read_text()[-500:]}")
            trial.look(victim)
        trial.complete("extract")


@contextlib.contextmanager
def dask_by_command_line(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler (first) and two workers; where its address is written."""
    place = folder / f"scheduler-{time.monotonic_ns()}.json"
    options = ["--no-dashboard", "--scheduler-file", str(place)]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0"], *[["worker", "--nthreads", "1"]] * 2]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            processes.append(subprocess.Popen([sys.executable, "-m", "dask", *command, *options], **quiet))  # type: ignore[call-overload]
            while not place.exists():
                time.sleep(0.05)
        yield str(place), processes
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.kill()
            process.wait()


def full_disk(trial: Trial) -> None:
    """A small file system of its own that fills up during a commit, and gets room again."""
    for _ in range(trial.count):
        with small_disk(trial.folder / f"disk-{trial.line.stores}", trial.chance.randint(200, 2000)) as disk:
            trial.new_store(str(disk / "store"))
            victim = trial.victim("writer")
            expect_refusal(trial, victim)
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            trial.complete("writer", "--commits", "5")


def short_files(trial: Trial) -> None:
    """No file may grow beyond a limit: what a quota does."""
    for _ in range(trial.count):
        trial.new_store()
        limit = str(trial.chance.randint(2_000, 12_000))
        victim = trial.victim("writer", prefix=(sys.executable, "-c", LIMITED, limit))
        expect_refusal(trial, victim)
        trial.complete("writer", "--commits", "5")


def clocks(trial: Trial) -> None:
    """Processes whose clocks are seconds to a year apart write to one store, one after the other.

    One that is far behind the newest commit must refuse, in words; the next whose clock is right goes on.
    """
    shim = compiled_clock(trial.folder)
    while trial.another_store():
        trial.new_store()
        latest = 0
        for _ in range(min(PER_STORE, trial.count - trial.line.tried)):
            most = trial.chance.choice((5, 3600, YEAR_S))
            shift = trial.chance.randint(-most, most)
            victim = trial.victim("writer", "--commits", "3", more=clock(shim, shift))
            said = victim.end()
            behind = said["what"] == "error" and said["code"] == "clock" and shift < latest
            if said["what"] != "end" and not behind:
                words = f"{shift} s, latest {latest} s: {said} {victim.errors.read_text()[-500:]}"
                trial.line.broken.append(f"with a clock at {words}")
            if said["what"] == "end":
                latest = max(latest, shift)
            trial.look(victim)
        # The newest commit's time comes round.
        trial.complete("writer", "--commits", "3", more=clock(shim, latest + 60))


def compiled_clock(folder: Path) -> Path:
    """The tests' library that bends the clock of a process."""
    shim = folder / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", str(CLOCK), "-o", str(shim), "-ldl"], check=True)
    return shim


def clock(shim: Path, shift_s: int) -> dict[str, str]:
    """The environment of a process whose clock is so many seconds ahead."""
    return {"LD_PRELOAD": str(shim), "CLOCK_SHIFT_S": str(shift_s)}


def may_bend_clocks() -> bool:
    """Whether there is a compiler, and a system that can preload what it makes."""
    return sys.platform.startswith("linux") and shutil.which("cc") is not None


def broken_network(trial: Trial) -> None:
    """A writer on S3 whose connections are dropped, and which is cut off for seconds."""
    from writers import breaking, objectstore

    module = objectstore()
    server = module.Server(trial.folder / "server.log")
    wire = module.Wire(server.port)
    before = dict(os.environ)
    # The judge has a connection of its own, which does not break.
    os.environ.update(module.environment(server.url))
    try:
        while trial.another_store():
            trial.new_store(f"s3://{module.BUCKET}/{uuid.uuid4().hex}")
            victim = trial.victim("writer", "--commits", "20", more=module.environment(wire.url))
            victim.started()
            if trial.line.stores % 2:
                victim.wait_for(lambda victim=victim: bool(victim.acknowledged()))  # type: ignore[misc]
            with breaking(wire, trial.chance, longest_s=2.0) as times:
                said = victim.end()
            if said["what"] != "end" and victim.process.returncode != FAILED:
                trial.line.broken.append(f"it ended with {said} {victim.errors.read_text()[-500:]}")
            trial.look(victim, len(times))
            trial.complete("writer", "--commits", "3")
    finally:
        os.environ.clear()
        os.environ.update(before)
        wire.close()
        server.close()


def may_serve() -> bool:
    """Whether there is moto's S3 server."""
    return importlib.util.find_spec("moto") is not None


LIMITED = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execv(sys.argv[2], sys.argv[2:])
"""


def expect_refusal(trial: Trial, victim: Victim) -> None:
    """A victim must end with an error of the store, in words; not with a crash."""
    said = victim.end()
    if victim.process.returncode != FAILED or said.get("code") not in ("commit-failed", "store"):
        trial.line.broken.append(f"it ended with {said} {victim.errors.read_text()[-500:]}")
    trial.look(victim)


@contextlib.contextmanager
def small_disk(folder: Path, size_kb: int) -> Iterator[Path]:
    """A file system in memory of so many kB."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def may_mount() -> bool:
    """Whether this user may mount a file system."""
    with tempfile.TemporaryDirectory() as place:
        try:
            with small_disk(Path(place) / "disk", 100):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


FAULTS: dict[str, tuple[Callable[[Trial], None], float]] = {
    "kill -9 of a writer": (kill_writer, 0.65),
    "kill -9 of the client of a run": (kill_client, 0.15),
    "kill -9 of workers": (kill_workers, 0.15),
    "kill -9 of the workers' nannies": (kill_nannies, 0.05),
    "the scheduler goes away": (kill_scheduler, 0.025),
    "Ctrl-C": (interrupt, 0.05),
    "Ctrl-C twice": (interrupt_twice, 0.05),
    "the disk is full": (full_disk, 0.05),
    "files may not grow (quota)": (short_files, 0.05),
    "clocks that differ": (clocks, 0.05),
    "the network to S3 breaks": (broken_network, 0.25),
}
"""What is done, and its share of the asked number of kills: the first four make all of them."""

NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "the disk is full": (may_mount, "this user may not mount a file system"),
    "clocks that differ": (may_bend_clocks, "it takes Linux and a C compiler"),
    "the network to S3 breaks": (may_serve, "it takes moto's server"),
}
"""Faults that not every machine can make: whether this one can, and what is missing."""


def run(fault: str, count: int, place: Path, seed: int = 1) -> Line:
    """Try one fault ``count`` times."""
    if not (place / "images" / "samples.pickle").exists():
        Victim("prepare", str(place / "images"), folder=place).end()
    trial = Trial(fault, place, count, random.Random(f"{fault} {seed}"))
    FAULTS[fault][0](trial)
    trial.orphans()
    return trial.line


def main() -> None:
    """Run everything and print the table; the exit code says whether it is clean."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="how many kill -9 in all (default 200)")
    parser.add_argument("--only", choices=FAULTS, action="append", help="only this fault, --kills times")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["GCLNM_CACHE"] = str(Path(temporary) / "cache")
        for fault in asked.only or FAULTS:
            can, why_not = NEEDS.get(fault, (lambda: True, ""))
            if not can():
                print(f"{fault}: not tried, {why_not}", file=sys.stderr)
                continue
            count = asked.kills if asked.only else max(1, round(asked.kills * FAULTS[fault][1]))
            started = time.perf_counter()
            lines.append(run(fault, count, Path(temporary), asked.seed))
            print(f"{fault}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
            for words in lines[-1].broken:
                print(f"    {words}", file=sys.stderr)
    print(table(lines))
    sys.exit(not all(line.clean for line in lines))


def table(lines: list[Line]) -> str:
    """The lines as text."""
    head = (
        "fault",
        "times tried",
        "rows acknowledged",
        "lost",
        "doubled",
        "wrong",
        "stores completed",
        "broken",
    )
    cells = [
        (
            line.fault,
            str(line.tried),
            f"{line.acknowledged:,}",
            str(line.lost),
            str(line.doubled),
            str(line.wrong),
            f"{line.completed} of {line.stores}",
            str(len(line.broken)),
        )
        for line in lines
    ]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    text = []
    for name, *numbers in (head, *cells):
        text.append("  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]))
    kills = sum(line.tried for line in lines if line.fault.startswith("kill"))
    names = ("lost", "doubled", "wrong")
    lost, doubled, wrong = (sum(getattr(line, what) for line in lines) for what in names)
    return "\n".join([*text, f"{kills} kills; {lost} rows lost, {doubled} doubled, {wrong} wrong"])


if __name__ == "__main__":
    main()
