"""Gates between processes."""

from __future__ import annotations

import threading

from headrace_cli.gate import Gate, pass_gate


def test_everybody_waits_until_the_gate_opens_and_nobody_afterwards() -> None:
    gate = Gate()
    passed = threading.Semaphore(0)
    threads = [threading.Thread(target=lambda: (pass_gate(str(gate.fd)), passed.release())) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert not passed.acquire(timeout=0.05)
    gate.open()
    for thread in threads:
        thread.join(10)
    pass_gate(str(gate.fd))
    gate.close()
    assert passed.acquire(blocking=False)
    assert passed.acquire(blocking=False)


def test_without_a_gate_nobody_waits() -> None:
    pass_gate(None)
