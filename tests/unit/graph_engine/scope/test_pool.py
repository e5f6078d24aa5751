"""Threads are kept for the next job, and one that was interrupted is not."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Any, cast

from graph_compiler.values.errors import NodeError
from graph_engine.scope.frame import Task
from graph_engine.scope.pool import Job, NodeStuck, Pool

TASK = cast(Task, None)


def job(work: Any) -> Job:
    return Job(TASK, lambda timeout: work(), lambda answer: None)


def test_thread_is_used_again_and_every_end_of_work_is_an_answer() -> None:
    inbox: SimpleQueue[Job] = SimpleQueue()
    pool = Pool(inbox)

    def raising(error: BaseException) -> Any:
        raise error

    works = [
        threading.get_ident,
        threading.get_ident,
        lambda: raising(NodeError("no", "x")),
        lambda: raising(SystemExit(3)),
    ]
    answers = []
    for work in works:
        pool.submit(job(work))
        answers.append(inbox.get(timeout=10).answer)
    pool.close()
    assert answers[0] == answers[1] != threading.get_ident()
    assert (answers[2].kind, answers[3].kind) == ("no", "internal_error")


def test_work_that_is_interrupted_ends_and_its_thread_with_it() -> None:
    inbox: SimpleQueue[Job] = SimpleQueue()
    pool = Pool(inbox)
    runs = threading.Event()
    ident: list[int] = []

    def forever() -> None:
        ident.append(threading.get_ident())
        runs.set()
        while True:
            time.sleep(0.001)

    stuck = job(forever)
    pool.submit(stuck)
    assert runs.wait(10)
    pool.interrupt(stuck)
    assert isinstance(inbox.get(timeout=10).answer, NodeStuck)
    pool.submit(job(threading.get_ident))
    assert inbox.get(timeout=10).answer is not None
    pool.close()
