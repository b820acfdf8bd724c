import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.domain.model import ModelVersion
from mainspring.domain.service import ServicePolicy
from mainspring.serving.inputs import Rows, check_rows
from mainspring.serving.jobs import Failed, Full, TimedOut
from mainspring.serving.pool import Pool
from mainspring.serving.process import ModelSource
from mainspring.testing.models import a_trick_model, a_version_of

INPUTS = pl.DataFrame({"x": [1.0, 2.0]})


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> LocalBlobs:
    return LocalBlobs(tmp_path_factory.mktemp("blobs"))


@pytest.fixture(scope="module")
def version(blobs: LocalBlobs) -> ModelVersion:
    return a_version_of(blobs, a_trick_model(), INPUTS)


def rows(*values: float) -> Rows:
    return check_rows(None, {"x": list(values)}, count=len(values))


def source_of(version: ModelVersion, blobs: LocalBlobs, work: Path) -> ModelSource:
    root = blobs.path_of(version.manifest).parent.parent
    return ModelSource(blobs=root, manifest=version.manifest, work=work)


@asynccontextmanager
async def a_pool(
    version: ModelVersion, source: ModelSource, policy: ServicePolicy, *, ready: bool = True
) -> AsyncIterator[Pool]:
    changed = asyncio.Event()
    pool = Pool("demand", version, source, policy, on_change=changed.set)
    pool.start()
    try:
        while ready and len(pool.pids) < policy.workers:
            await asyncio.wait_for(changed.wait(), 30)
            changed.clear()
        yield pool
    finally:
        await pool.close()


Body = Callable[[Pool], Coroutine[Any, Any, None]]


@pytest.fixture
def in_pool(
    version: ModelVersion, blobs: LocalBlobs, tmp_path: Path
) -> Callable[[Body, ServicePolicy], None]:
    def run(body: Body, policy: ServicePolicy) -> None:
        async def main() -> None:
            async with a_pool(version, source_of(version, blobs, tmp_path), policy) as pool:
                await body(pool)

        asyncio.run(main())

    return run


InPool = Callable[[Body, ServicePolicy], None]


def test_requests_that_wait_for_a_busy_worker_go_as_one_batch(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        before = pool.counts.batches
        answers = await asyncio.gather(
            pool.predict(rows(-5)), *(pool.predict(rows(n, n)) for n in range(40))
        )

        assert answers == [[-10.0], *([2.0 * n, 2.0 * n] for n in range(40))]
        assert pool.counts.batches - before <= 3

    in_pool(body, ServicePolicy())


def test_an_error_in_a_batch_is_only_its_own_requests(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        answers = await asyncio.gather(
            pool.predict(rows(-5)),
            pool.predict(rows(1)),
            pool.predict(rows(-3)),
            pool.predict(rows(2)),
            pool.predict(rows(-4)),
            return_exceptions=True,
        )

        assert [answers[1], answers[3]] == [[2.0], [4.0]]
        assert isinstance(answers[2], Failed)
        assert "ValueError: told to fail" in str(answers[2])
        assert isinstance(answers[4], Failed)
        assert "the model answered nan" in str(answers[4])

    in_pool(body, ServicePolicy())


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_workers_lose_no_request(in_pool: InPool, workers: int) -> None:
    async def body(pool: Pool) -> None:
        async def ask(n: int) -> bool:
            await asyncio.sleep(n / 500)
            return await pool.predict(rows(n)) == [2.0 * n]

        async def kill() -> None:
            for _ in range(2):
                await asyncio.sleep(0.15)
                for pid in pool.pids[:1]:
                    os.kill(pid, signal.SIGKILL)

        answers = await asyncio.gather(*(ask(n) for n in range(300)), kill())

        assert answers[:-1] == [True] * 300
        assert pool.counts.restarts >= 1

    in_pool(body, ServicePolicy(workers=workers, timeout_seconds=30, max_queue=1000))


def test_a_request_that_kills_its_worker_twice_fails_alone(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        answers = await asyncio.gather(
            pool.predict(rows(-5)),
            pool.predict(rows(1)),
            pool.predict(rows(-1)),
            pool.predict(rows(2)),
            return_exceptions=True,
        )

        assert [answers[1], answers[3]] == [[2.0], [4.0]]
        assert isinstance(answers[2], Failed)
        assert "twice" in str(answers[2])

    in_pool(body, ServicePolicy(timeout_seconds=30))


def test_a_hanging_model_times_out_and_gets_a_new_worker(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        (hanging,) = pool.pids

        with pytest.raises(TimedOut, match=r"did not answer within 0\.5 s"):
            await pool.predict(rows(-2))
        answer = await pool.predict(rows(3), timeout_seconds=30)

        assert answer == [6.0]
        assert pool.pids != [hanging]

    in_pool(body, ServicePolicy(timeout_seconds=0.5))


def test_a_full_queue_says_so_at_once(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        answers = await asyncio.gather(
            *(pool.predict(rows(-5)) for _ in range(5)), return_exceptions=True
        )

        assert [type(a) for a in answers] == [list, list, list, Full, Full]

    in_pool(body, ServicePolicy(max_queue=2))


def test_a_retired_pool_answers_what_is_under_way_and_then_closes(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        (pid,) = pool.pids
        asked = asyncio.ensure_future(pool.predict(rows(-5)))
        await asyncio.sleep(0)
        pool.retire()

        assert await asked == [-10.0]
        for _ in range(40):
            await asyncio.sleep(0.1)
            if pool.is_closed:
                break
        assert pool.is_closed
        await pool.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    in_pool(body, ServicePolicy())


def test_workers_follow_the_policy(in_pool: InPool) -> None:
    async def body(pool: Pool) -> None:
        pool.follow(ServicePolicy(workers=2))
        for _ in range(300):
            if len(pool.pids) == 2:
                break
            await asyncio.sleep(0.05)
        assert len(pool.pids) == 2
        pool.follow(ServicePolicy(workers=1))
        assert len(pool.pids) == 1
        assert await pool.predict(rows(1)) == [2.0]

    in_pool(body, ServicePolicy())


def test_an_altered_file_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    version = a_version_of(blobs, a_trick_model(), INPUTS)
    from mainspring.blobs.trees import read_manifest

    pickled = next(
        e for e in read_manifest(blobs, version.manifest).entries if e.path == "model.pkl"
    )
    path = blobs.path_of(pickled.digest)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)

    async def main() -> None:
        source = source_of(version, blobs, tmp_path / "work")
        async with a_pool(version, source, ServicePolicy(), ready=False) as pool:
            for _ in range(300):
                if pool.failure:
                    break
                await asyncio.sleep(0.05)
            assert pool.failure is not None
            assert "model.pkl are damaged" in pool.failure
            assert not pool.is_ready

    asyncio.run(main())


def test_a_model_that_fails_on_its_own_example_is_refused(tmp_path: Path) -> None:
    class LoadsNowhereElse:
        def __init__(self) -> None:
            self.home = os.getpid()

        def predict(self, table: Any) -> Any:
            if os.getpid() != self.home:
                raise RuntimeError("not at home")
            return table["x"].to_numpy()

    blobs = LocalBlobs(tmp_path / "blobs")
    version = a_version_of(blobs, LoadsNowhereElse(), INPUTS)

    async def main() -> None:
        source = source_of(version, blobs, tmp_path / "work")
        async with a_pool(version, source, ServicePolicy(), ready=False) as pool:
            for _ in range(300):
                if pool.failure:
                    break
                await asyncio.sleep(0.05)
            assert pool.failure is not None
            assert "fails on its own example" in pool.failure
            assert "not at home" in pool.failure

    asyncio.run(main())
