"""The process that step processes are forked from."""

import os
import select
from pathlib import Path

import pytest

from mainspring.kernel.errors import Unavailable
from mainspring.pipelines.zygote import Exit, Zygote
from mainspring.testing.flows import Flow


def spawned(zygote: Zygote, scratch: Path) -> Exit:
    """The end of a process whose task can't be read."""
    with Path(os.devnull).open("w") as out:
        pid = zygote.spawn(scratch, out.fileno(), out.fileno())
    select.select([zygote], [], [], 30)
    exits = zygote.exits()
    assert exits is not None
    assert [each.pid for each in exits] == [pid]
    return exits[0]


def thread_count(zygote: Zygote) -> int:
    return len(list(Path(f"/proc/{zygote.pid}/task").iterdir()))


def test_a_fork_that_fails_tells_its_status(tmp_path: Path) -> None:
    zygote = Zygote()

    assert spawned(zygote, tmp_path).status == 70
    zygote.close()


@pytest.mark.parametrize("ahead", [["sklearn"], ["polars"], ["no_such_module"]])
def test_whatever_is_loaded_ahead_there_is_one_thread(ahead: list[str], tmp_path: Path) -> None:
    zygote = Zygote(ahead)

    spawned(zygote, tmp_path)

    assert thread_count(zygote) == 1
    zygote.close()


def test_one_that_is_gone_is_told(tmp_path: Path) -> None:
    zygote = Zygote()
    os.kill(zygote.pid, 9)
    select.select([zygote], [], [], 30)

    assert zygote.exits() is None
    with pytest.raises(Unavailable, match="is gone"):
        zygote.spawn(tmp_path, 1, 2)
    zygote.close()


def test_forks_do_not_share_random_numbers_and_have_their_own_threads(flow: Flow) -> None:
    flow.write(
        """
        import random
        import numpy as np
        import sklearn
        from threadpoolctl import threadpool_info

        @ms.step(cpus=2, cache=False)
        def draw(x: int) -> list[float]:
            threads = {pool["num_threads"] for pool in threadpool_info()}
            return [float(np.random.random()), random.random(), sorted(threads)]

        @ms.pipeline
        def flow():
            return draw(1), draw(2)
        """
    )

    run = flow.run()

    first, second = flow.value(run, 0), flow.value(run, 1)
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert first[2] == [2]
