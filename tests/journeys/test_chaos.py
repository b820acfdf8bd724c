"""kill -9 of any process, twenty times at random moments of the loop: it recovers, and nothing is lost."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mainspring.cli.commands.apply import apply_declaration
from mainspring.cli.commands.fsck import examine
from mainspring.cli.demo.deliveries import DataTeam
from mainspring.cli.demo.engine_room import EngineRoom
from mainspring.cli.demo.folder import all_rides, lay_out
from mainspring.cli.demo.stage import NEW_YEAR, SERVICE
from mainspring.cli.demo.town import LABEL_DELAY, Pace, Town
from mainspring.cli.demo.watch import all_events, pace_for, wait_for
from mainspring.config import Settings
from mainspring.domain.gate import GateOutcome
from mainspring.domain.pipeline import StepState
from mainspring.kernel.errors import Unavailable
from mainspring.pipelines.requests import ListPipelineRuns, ListSteps
from mainspring.registry.requests import GetModelVersionById
from mainspring.sdk.embedded import EmbeddedClient
from mainspring.server.supervisor import read_state
from mainspring.serving.log.reader import find_anywhere
from mainspring.serving.requests import GetDeployment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KILLS = 20
VICTIMS = ("control", "controller", "predictor", "worker", "step")


def children_of(pid: int) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield int(child)
                yield from children_of(int(child))


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Killer:
    """Kills one process of the installation after the other, the same ones for the same seed as far as
    they are there."""

    def __init__(self, home: Path, seed: int) -> None:
        self._home = home
        self._random = random.Random(seed)
        self.killed: list[tuple[datetime, str]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while len(self.killed) < KILLS and not self._stop.wait(self._random.uniform(0.5, 4.0)):
            order = self._random.sample(VICTIMS, len(VICTIMS))
            self._kill_one(order)

    def _kill_one(self, order: list[str]) -> None:
        state = read_state(self._home)
        if state is None:
            return
        children = {name: pid for name, pid in state["children"].items() if pid}
        for name in order:
            if pid := self._find(name, children):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.killed.append((datetime.now(UTC), name))
                    return

    def _find(self, name: str, children: dict[str, int]) -> int | None:
        if name in ("worker", "step"):
            parent = children.get("predictor" if name == "worker" else "controller")
            word = "serving.worker" if name == "worker" else "pipelines."
            found = [pid for pid in children_of(parent or 0) if word in command_of(pid)]
            return self._random.choice(found) if found else None
        return children.get(name)


@pytest.mark.parametrize("seed", [1])
def test_twenty_kills_lose_nothing_and_the_loop_goes_on(seed: int, tmp_path: Path) -> None:
    home = tmp_path / "home"
    folder = lay_out(home)
    rides = all_rides()
    settings = Settings(home=home, port=0, serving_port=0)
    engine = EngineRoom(settings)
    killer = Killer(home, seed)
    with EmbeddedClient(settings) as client:
        try:
            serving_url = str(engine.wait_until_ready()["serving_url"])
            killer.start()
            data = DataTeam(client, folder, rides)
            data.deliver(NEW_YEAR)
            apply_declaration(client, settings, folder.project / "mainspring.toml")
            town = a_town(rides, serving_url, data)
            first = wait_for(lambda: champion_of(client), "a champion", seconds=400)
            town.start()
            live(client, town, engine, until=lambda: champion_of(client) not in (None, first))
            live(client, town, engine, until=lambda: len(killer.killed) >= KILLS)
            killer.stop()
            count = len(town.answers)
            live(client, town, engine, until=lambda: len(town.answers) > count + 200)
            town.stop()
        finally:
            killer.stop()
            engine.stop()

        assert len(killer.killed) >= KILLS
        assert town.failures == []
        nothing_is_lost(settings, town)
        the_store_is_sound(client)
        champions_follow_one_another(client)
        no_work_was_done_twice(client)


def a_town(rides: object, serving_url: str, data: DataTeam) -> Town:
    import polars as pl

    def deliver(until: datetime) -> None:
        data.deliver(until - LABEL_DELAY)

    assert isinstance(rides, pl.DataFrame)
    town = Town(
        rides.filter(pl.col("time") >= NEW_YEAR.replace(tzinfo=None)),
        serving_url=serving_url,
        service=SERVICE,
        hours_per_second=300,
        deliver=deliver,
        patient=True,
    )
    town.keep_back = 0.6
    return town


def live(client: EmbeddedClient, town: Town, engine: EngineRoom, until: object) -> None:
    """Let time pass until something is so; slowly while the loops are busy."""
    assert callable(until)

    def look() -> bool | None:
        try:
            town.pace = pace_for(client, SERVICE)
        except Unavailable:
            town.pace = Pace.TRAINING
        assert town.error is None
        return True if until() else None

    wait_for(look, "what the loop should do", seconds=500, meanwhile=engine.check)


def champion_of(client: EmbeddedClient) -> str | None:
    deployment = client.call(GetDeployment(service=SERVICE))
    return deployment.champion if deployment else None


def nothing_is_lost(settings: Settings, town: Town) -> None:
    """Every answer that was received is in the log."""
    lost = [
        answer
        for answer in town.answers
        if find_anywhere(settings.predictions_path, answer.prediction) is None
    ]
    assert lost == []


def the_store_is_sound(client: EmbeddedClient) -> None:
    verdict = examine(client.app)

    assert verdict.problems == ()
    assert verdict.audit.intact, verdict.audit.problem


def champions_follow_one_another(client: EmbeddedClient) -> None:
    """Each new champion replaced the one before it, and had passed every gate."""
    previous: str | None = None
    for event in all_events(client, SERVICE):
        if event.type == "ChampionChanged":
            assert event.payload["previous"] == previous
            previous = str(event.payload["version"])
            version = client.call(GetModelVersionById(id=previous))
            assert version.gate_results
            assert all(r.outcome is GateOutcome.PASSED for r in version.gate_results)
    assert previous == champion_of(client)


def no_work_was_done_twice(client: EmbeddedClient) -> None:
    finished = Counter(
        str(event.payload["run"]) for event in all_events(client) if event.type == "RunFinished"
    )
    assert all(count == 1 for count in finished.values())
    for run in client.call(ListPipelineRuns(limit=1000)):
        done = Counter(
            step.node
            for step in client.call(ListSteps(run=run.id))
            if step.state in (StepState.SUCCEEDED, StepState.CACHED)
        )
        assert all(count == 1 for count in done.values())


def test_the_killer_finds_processes_by_what_they_run() -> None:
    assert "python" in command_of(os.getpid())
    assert os.getpid() in children_of(os.getppid())
