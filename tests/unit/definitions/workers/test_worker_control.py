"""Requests to cancel, from one process's socket to another's."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from definitions.workers.worker_control import CancelReceiver, remove_stale, request_cancel


@pytest.fixture
def asked() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def receiver(tmp_path: Path, asked: queue.Queue[str]) -> Iterator[CancelReceiver]:
    receiver = CancelReceiver(tmp_path, os.getpid(), asked.put)
    yield receiver
    receiver.close()


@pytest.mark.usefixtures("receiver")
def test_requests_arrive_in_order(tmp_path: Path, asked: queue.Queue[str]) -> None:
    assert [request_cancel(tmp_path, os.getpid(), run_id) for run_id in ("one", "two")] == [True, True]
    assert [asked.get(timeout=30), asked.get(timeout=30)] == ["one", "two"]


def test_worker_that_never_was_cannot_be_asked(tmp_path: Path) -> None:
    assert not request_cancel(tmp_path, os.getpid(), "run")


def test_closed_receiver_cannot_be_asked(tmp_path: Path, receiver: CancelReceiver) -> None:
    receiver.close()
    assert not request_cancel(tmp_path, os.getpid(), "run")
    assert list(tmp_path.iterdir()) == []


def test_file_of_a_dead_worker_with_the_same_pid_is_replaced(tmp_path: Path, asked: queue.Queue[str]) -> None:
    (tmp_path / f"{os.getpid()}.ctl").touch()
    assert not request_cancel(tmp_path, os.getpid(), "run")
    receiver = CancelReceiver(tmp_path, os.getpid(), asked.put)
    assert request_cancel(tmp_path, os.getpid(), "run")
    assert asked.get(timeout=30) == "run"
    receiver.close()


@pytest.mark.usefixtures("receiver")
def test_request_that_is_no_text_stops_nothing(tmp_path: Path, asked: queue.Queue[str]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(b"\xff\x00", str(tmp_path / f"{os.getpid()}.ctl"))
    request_cancel(tmp_path, os.getpid(), "after")
    assert [asked.get(timeout=30), asked.get(timeout=30)] == ["\ufffd\x00", "after"]


def test_sockets_of_dead_workers_are_removed(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    for pid in (child.pid, os.getpid()):
        (tmp_path / f"{pid}.ctl").touch()
    remove_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{os.getpid()}.ctl"]
