from platform_core.facts.run_status import ENDED, IN_PROGRESS, RunStatus


def test_each_status_waits_is_in_progress_or_is_an_end() -> None:
    assert sorted([RunStatus.QUEUED, RunStatus.WAITING, *IN_PROGRESS, *ENDED]) == sorted(RunStatus)
    assert [status for status in RunStatus if status.is_end] == list(ENDED)


def test_a_status_is_its_word() -> None:
    assert [f"{status}" for status in RunStatus] == [
        "QUEUED",
        "STARTING",
        "RUNNING",
        "WAITING",
        "CANCELING",
        "SUCCESS",
        "FAILURE",
        "CANCELED",
    ]
