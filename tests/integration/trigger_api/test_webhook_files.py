"""Files of webhook calls: values that nodes can read, kept with the run that got them, and of no other call."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import Engine

from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, another_process, assert_problem
from tests.integration.trigger_api.hooks import params_of_runs, save_hook, stored

IMAGE = bytes(range(256)) * 40
DIGEST = hashlib.sha256(IMAGE).hexdigest()
SENT = {"photo": ("a photo.png", IMAGE, "image/png"), "note": (None, b"oak")}


@pytest.fixture
def uploads(settings: Settings) -> Path:
    """Where the files that are sent to the owner's graphs are."""
    return settings.home / "files" / "ada" / "uploads"


def kept(uploads: Path) -> list[str]:
    return sorted(path.relative_to(uploads).as_posix() for path in uploads.rglob("*") if path.is_file())


def got(run_id: str) -> dict[str, Any]:
    """The params of a run that got `SENT`."""
    reference = f"files:uploads/{run_id}/{DIGEST}/a photo.png"
    photo = {"$file": reference, "size": len(IMAGE), "media_type": "image/png", "sha256": DIGEST}
    return {"got": {"photo": photo, "note": "oak"}}


def test_a_file_is_a_file_value_of_the_run(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    answer = anonymous.post(save_hook(ada), files=SENT)
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    assert params_of_runs(engine) == [got(run_id)]
    assert (uploads / run_id / DIGEST / "a photo.png").read_bytes() == IMAGE
    assert kept(uploads) == [f"{run_id}/{DIGEST}/a photo.png"]


def test_templates_see_what_a_file_value_has(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    params = {"got": ["{{ body.photo.size }}", "{{ body.photo.media_type }}", "{{ body.photo.sha256 }}"]}
    anonymous.post(save_hook(ada, params=params, filter="{{ body.photo.size > 1 }}"), files=SENT)
    assert params_of_runs(engine) == [{"got": [len(IMAGE), "image/png", DIGEST]}]


def test_calls_that_make_no_run_keep_no_file(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    hook = save_hook(ada, filter="{{ body.note != 'oak' }}")
    assert anonymous.post(hook, files=SENT).status_code == 204
    save_hook(ada, params={"got": "{{ body.photo.depth }}"})
    assert_problem(anonymous.post(hook, files=SENT), 422, "invalid_params")
    assert (params_of_runs(engine), kept(uploads)) == ([], [])


def test_a_delivery_sent_again_keeps_the_first_ones_files(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    hook = save_hook(ada)

    def send(_: int) -> httpx.Response:
        return anonymous.post(hook, files=SENT, headers={"Idempotency-Key": "d1"})

    with ThreadPoolExecutor(8) as pool:
        [run_id] = {answer.json()["run_id"] for answer in pool.map(send, range(12))}
    assert params_of_runs(engine) == [got(run_id)]
    assert kept(uploads) == [f"{run_id}/{DIGEST}/a photo.png"]
    assert [path.name for path in uploads.iterdir()] == [run_id]


def test_a_replayed_delivery_has_the_same_params_and_files_of_its_own(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    first = anonymous.post(save_hook(ada), files=SENT).json()["run_id"]
    replay = f"{API}/deliveries/{stored(engine)[0]['id']}/replay"
    answers = [ada.post(replay, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    [second] = {answer.json()["run_id"] for answer in answers}
    assert params_of_runs(engine) == [got(first), got(second)]
    assert kept(uploads) == sorted(f"{run_id}/{DIGEST}/a photo.png" for run_id in (first, second))


def test_files_beyond_what_the_log_keeps_run_and_are_not_replayed(
    ada: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing, uploads: Path
) -> None:
    hook = save_hook(ada)
    small = settings.model_copy(update={"delivery_body_bytes": 1000})
    with another_process(small, engine, keys) as client:
        run_id = client.post(hook, files=SENT).json()["run_id"]
    assert params_of_runs(engine) == [got(run_id)]
    [delivery] = stored(engine)
    assert_problem(ada.post(f"{API}/deliveries/{delivery['id']}/replay"), 409, "delivery_incomplete")
    assert kept(uploads) == [f"{run_id}/{DIGEST}/a photo.png"]


def test_a_store_that_takes_no_files_acknowledges_nothing(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    hook = save_hook(ada)
    uploads.parent.mkdir(parents=True)
    uploads.touch()  # no folder
    assert_problem(anonymous.post(hook, files=SENT), 503, "unavailable")
    assert (stored(engine), params_of_runs(engine)) == ([], [])
    uploads.unlink()
    assert anonymous.post(hook, files=SENT).status_code == 202
