"""A model worker: one process that holds one model and answers the router over a socket.

`python -m mainspring.serving.worker FD BLOBS MANIFEST WORK PARENT`: the number of an inherited socket, the
blobs' folder, the model's manifest, a scratch folder, and the process that this one must not outlive.
It ends when the other end of the socket closes.
"""

import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from mainspring.blobs.local import LocalBlobs
from mainspring.config import load_settings
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import MainspringError
from mainspring.serving import wire
from mainspring.serving.loading import Predict, first_bad, frame_of, loaded
from mainspring.tracking.trust import trust_of

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Load the model, say so, and answer until the router is gone."""
    fd, blobs, manifest, work, parent = sys.argv[1:]
    die_with(int(parent))
    # Ctrl-C in a terminal goes to every process of the group; only the router decides when workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(fd)) as router:
        started = time.perf_counter()
        try:
            trust = trust_of(load_settings().model_trust)
            with loaded(LocalBlobs(Path(blobs)), Digest(manifest), Path(work), trust) as predict:
                # What lives now lives until the end: no collection need look through it.
                gc.freeze()
                _say_hello(router, None, "", time.perf_counter() - started)
                _serve(router, predict)
        except (BrokenPipeError, ConnectionResetError):
            return
        except MainspringError as error:
            _say_hello(router, str(error), error.code, 0.0)
        except Exception as error:
            # Loading runs the model's own code, which may raise anything.
            _say_hello(router, f"{type(error).__name__}: {error}", "model_fails", 0.0)


def die_with(parent: int) -> None:
    """Have Linux kill this process when `parent` is gone, however it ended."""
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def _say_hello(router: socket.socket, error: str | None, code: str, seconds: float) -> None:
    router.sendall(wire.frame(wire.Hello(error=error, code=code, load_seconds=seconds)))


def _serve(router: socket.socket, predict: Predict) -> None:
    frames = wire.Frames()
    while data := router.recv(1 << 20):
        for message in frames.feed(data):
            router.sendall(wire.frame(_answer(predict, wire.batch_decoder.decode(message))))


def _answer(predict: Predict, batch: wire.Batch) -> wire.Answers:
    """Answer all requests at once; if that fails, one by one, so that each gets its own error."""
    outputs, error = _try(predict, batch, 0, sum(batch.sizes))
    answers = wire.Answers(outputs=[], errors=[])
    start = 0
    for size in batch.sizes:
        one: list[Any] | None
        if outputs is not None:
            one, problem = outputs[start : start + size], None
        elif len(batch.sizes) == 1:
            one, problem = None, error
        else:
            one, problem = _try(predict, batch, start, start + size)
        answers.outputs.append(one)
        answers.errors.append(problem)
        start += size
    return answers


def _try(
    predict: Predict, batch: wire.Batch, start: int, end: int
) -> tuple[list[Any] | None, str | None]:
    columns = batch.columns
    if end - start != sum(batch.sizes):
        columns = [column[start:end] for column in columns]
    try:
        outputs = predict(frame_of(batch.names, batch.types, columns))
    except Exception as error:
        # The model's own code: whatever it raises is an answer to this request, not our failure.
        return None, f"{type(error).__name__}: {error}"[:2000]
    bad = first_bad(outputs)
    if bad is not None:
        return None, f"the model answered {bad}"
    return outputs, None


if __name__ == "__main__":
    main()
