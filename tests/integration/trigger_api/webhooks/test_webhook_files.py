"""Files of webhook calls: values that nodes can read, kept with the run that got them, and of no other call."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy.engine import Engine

from platform_core.errors import Unavailable
from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, another_process, assert_problem
from tests.integration.trigger_api.webhooks.graphs import params_of_runs, save_webhook, stored, webhook_document

IMAGE = bytes(range(256)) * 40
DIGEST = hashlib.sha256(IMAGE).hexdigest()
SENT: dict[str, Any] = {"photo": ("a photo.png", IMAGE, "image/png"), "note": (None, b"oak")}


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
    answer = anonymous.post(save_webhook(ada), files=SENT)
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    assert params_of_runs(engine) == [got(run_id)]
    assert (uploads / run_id / DIGEST / "a photo.png").read_bytes() == IMAGE
    assert kept(uploads) == [f"{run_id}/{DIGEST}/a photo.png"]


def test_templates_see_what_a_file_value_has(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    params = {"got": ["{{ body.photo.size }}", "{{ body.photo.media_type }}", "{{ body.photo.sha256 }}"]}
    anonymous.post(save_webhook(ada, params=params, filter="{{ body.photo.size > 1 }}"), files=SENT)
    assert params_of_runs(engine) == [{"got": [len(IMAGE), "image/png", DIGEST]}]


def test_calls_that_make_no_run_keep_no_file(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    webhook = save_webhook(ada, filter="{{ body.note != 'oak' }}")
    assert anonymous.post(webhook, files=SENT).status_code == 204
    save_webhook(ada, params={"got": "{{ body.photo.depth }}"})
    assert_problem(anonymous.post(webhook, files=SENT), 422, "invalid_params")
    assert (params_of_runs(engine), kept(uploads)) == ([], [])


def test_a_delivery_sent_again_keeps_the_first_ones_files(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    webhook = save_webhook(ada)

    def send(_: int) -> httpx.Response:
        return anonymous.post(webhook, files=SENT, headers={"Idempotency-Key": "d1"})

    with ThreadPoolExecutor(8) as pool:
        [run_id] = {answer.json()["run_id"] for answer in pool.map(send, range(12))}
    assert params_of_runs(engine) == [got(run_id)]
    assert kept(uploads) == [f"{run_id}/{DIGEST}/a photo.png"]
    assert [path.name for path in uploads.iterdir()] == [run_id]


def test_a_replayed_delivery_has_the_same_params_and_files_of_its_own(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    first = anonymous.post(save_webhook(ada), files=SENT).json()["run_id"]
    replay = f"{API}/deliveries/{stored(engine)[0]['id']}/replay"
    answers = [ada.post(replay, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    [second] = {answer.json()["run_id"] for answer in answers}
    assert params_of_runs(engine) == [got(first), got(second)]
    assert kept(uploads) == sorted(f"{run_id}/{DIGEST}/a photo.png" for run_id in (first, second))


def test_files_beyond_what_the_log_keeps_run_and_are_not_replayed(
    ada: httpx.Client, settings: Settings, engine: Engine, keys: KeyRing, uploads: Path
) -> None:
    webhook = save_webhook(ada)
    small = settings.model_copy(update={"delivery_body_bytes": 1000})
    with another_process(small, engine, keys) as client:
        run_id = client.post(webhook, files=SENT).json()["run_id"]
    assert params_of_runs(engine) == [got(run_id)]
    [delivery] = stored(engine)
    assert_problem(ada.post(f"{API}/deliveries/{delivery['id']}/replay"), 409, "delivery_incomplete")
    assert kept(uploads) == [f"{run_id}/{DIGEST}/a photo.png"]


def test_a_store_that_takes_no_files_acknowledges_nothing(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    webhook = save_webhook(ada)
    uploads.parent.mkdir(parents=True)
    uploads.touch()  # no folder
    assert_problem(anonymous.post(webhook, files=SENT), 503, "unavailable")
    assert (stored(engine), params_of_runs(engine)) == ([], [])
    uploads.unlink()
    assert anonymous.post(webhook, files=SENT).status_code == 202


def test_a_call_whose_webhook_changed_meanwhile_keeps_its_files_once(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path
) -> None:
    """It is received by what was remembered, then by what the database says: the first attempt's files go."""
    webhook = save_webhook(ada)
    first = anonymous.post(webhook, files=SENT).json()["run_id"]
    save_webhook(ada, params={"got": "{{ body.photo }}"})
    second = anonymous.post(webhook, files=SENT).json()["run_id"]
    assert params_of_runs(engine) == [got(first), {"got": got(second)["got"]["photo"]}]
    assert sorted(path.name for path in uploads.iterdir()) == sorted([first, second])


def test_files_of_a_call_that_was_not_stored_are_removed_unless_perhaps_it_was(
    ada: httpx.Client, anonymous: httpx.Client, engine: Engine, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is replaced: no real database fails between two statements on demand."""
    webhook = save_webhook(ada)

    async def fail(_: object, __: object) -> None:
        raise failure

    monkeypatch.setattr("platform_core.triggers.delivery_writer.DeliveryWriter.write", fail)
    failure: Exception = RuntimeError("a mistake")
    assert anonymous.post(webhook, files=SENT).status_code == 500
    assert (kept(uploads), list(uploads.iterdir())) == ([], [])
    failure = Unavailable("The database cannot be reached.")
    assert_problem(anonymous.post(webhook, files=SENT), 503, "unavailable")
    assert len(kept(uploads)) == 1
    assert params_of_runs(engine) == []


@pytest.mark.parametrize("schema", [{"format": "file"}, {}])
@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"f": {"$file": "files:payroll.csv", "size": 1, "media_type": "x", "sha256": None}}},
        {"json": {"f": {"$file": 1}}},
        {"json": {"f": {"a": [{"$file": "files:payroll.csv"}]}}},
    ],
)
def test_a_sender_cannot_name_a_file_of_the_owner(
    schema: dict[str, Any], sent: dict[str, Any], ada: httpx.Client, anonymous: httpx.Client, engine: Engine
) -> None:
    webhook = save_webhook_with(ada, schema)
    (issue,) = assert_problem(anonymous.post(webhook, **sent), 422, "invalid_params")["issues"][:1]
    assert (issue["code"], issue["path"].startswith("/params/got")) == ("bad_param", True)
    assert params_of_runs(engine) == []


def test_a_param_that_is_a_file_takes_no_text(ada: httpx.Client, anonymous: httpx.Client, engine: Engine) -> None:
    webhook = save_webhook_with(ada, {"format": "file"})
    calls: list[dict[str, Any]] = [
        {"json": {"f": "payroll.csv"}},
        {"data": {"f": "payroll.csv"}},
        {"files": {"f": (None, b"payroll.csv")}},
    ]
    for sent in calls:
        (issue,) = assert_problem(anonymous.post(webhook, **sent), 422, "invalid_params")["issues"]
        assert (issue["path"], issue["message"]) == (
            "/params/got",
            "expected a file value, which a part of a multipart request becomes, not 'payroll.csv'",
        )
    assert anonymous.post(webhook, files={"f": ("payroll.csv", b"mine")}).status_code == 202
    (params,) = params_of_runs(engine)
    assert params["got"]["$file"].startswith("files:uploads/")


def save_webhook_with(client: httpx.Client, schema: dict[str, Any]) -> str:
    """The path of a webhook whose param `got` has this schema and is the field `f` of the body."""
    saved = webhook_document(params={"got": "{{ body.f }}"}) | {
        "params": {"type": "object", "properties": {"got": schema}}
    }
    answer = client.put(f"{API}/graphs/hooked", json=saved)
    assert answer.status_code in (200, 201), answer.text
    return urlsplit(str(answer.json()["triggers"][0]["url"])).path
