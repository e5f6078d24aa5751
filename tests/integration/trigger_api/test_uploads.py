"""Launches as multipart: what parts become, that a key holds for files, and that nothing is lost or kept in vain."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from typer.testing import CliRunner

from headrace_cli.main import app as commands
from platform_core.database.tables import runs
from platform_core.errors import GraphNotFound, Unavailable
from platform_core.runs.upload_store import keep_file
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document

LAUNCH = f"{API}/graphs/press/runs"
PARAMS = {
    "type": "object",
    "properties": {
        "photo": {"format": "file"},
        "stamp": {"format": "file"},
        "seal": {"format": "bytes"},
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "any": {},
    },
}
IMAGE = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def _press(ada: httpx.Client) -> None:
    nodes = [{"id": "press", "type": "transform", "config": {"value": "{{ params }}"}}]
    made = ada.post(f"{API}/graphs", json=document("press", params=PARAMS, nodes=nodes, outputs={}))
    assert made.status_code == 201, made.text


@pytest.fixture
def folder(settings: Settings) -> Path:
    """Where the owner's files are."""
    return settings.home / "files" / "ada"


def _stored(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(runs.c.params, runs.c.tags).order_by(runs.c.created_at)))


def _kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_parts_become_what_the_schema_says(ada: httpx.Client, engine: Engine, folder: Path) -> None:
    sent: dict[str, Any] = {
        "$launch": (None, json.dumps({"params": {"count": 1, "any": [1]}, "tags": {"team": "press"}})),
        "photo": ("a photo.png", IMAGE, "image/png"),
        "seal": ("seal", b"\x00\xff"),
        "text": ("note.txt", "5"),
        "count": (None, "7"),
    }
    answer = ada.post(LAUNCH, files=sent)
    assert answer.status_code == 202, answer.text
    digest = hashlib.sha256(IMAGE).hexdigest()
    run_id = answer.json()["run_id"]
    path = f"uploads/{run_id}/{digest}/a photo.png"
    photo = {"$file": f"files:{path}", "size": len(IMAGE), "media_type": "image/png", "sha256": digest}
    [stored] = _stored(engine)
    assert stored.params == {"photo": photo, "seal": {"$bytes": "AP8="}, "text": "5", "count": 7, "any": [1]}
    assert stored.tags == {"team": "press"}
    assert (folder / path).read_bytes() == IMAGE
    assert _kept(folder) == [folder / path]
    assert ada.get(f"{API}/runs/{run_id}").json()["params"]["photo"] == photo


def test_a_key_holds_for_the_files(ada: httpx.Client, engine: Engine, folder: Path) -> None:
    key = {"Idempotency-Key": "print-1"}
    first = ada.post(LAUNCH, files={"photo": ("a.png", IMAGE)}, headers=key)
    ada.put(f"{API}/graphs/press", json=document("press", outputs={}))
    again = ada.post(LAUNCH, files={"photo": ("a.png", IMAGE)}, headers=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == first.json()
    other = ada.post(LAUNCH, files={"photo": ("a.png", IMAGE[1:])}, headers=key)
    assert other.status_code in (409, 422)
    assert_problem(other, 409, "idempotency_key_reused")
    assert (len(_stored(engine)), len(_kept(folder))) == (1, 1)


def test_requests_with_one_key_at_the_same_time_keep_one_runs_files(
    ada: httpx.Client, engine: Engine, folder: Path
) -> None:
    def send(number: int) -> httpx.Response:
        other = IMAGE + b"!" * (number % 2)  # half of them are another request
        return ada.post(LAUNCH, files={"photo": ("a.png", other)}, headers={"Idempotency-Key": "print-2"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    codes = Counter(answer.status_code for answer in answers)
    assert (codes[202], codes[202] + codes[200], codes[409]) == (1, 8, 8)
    run_ids = {answer.json()["run_id"] for answer in answers if answer.status_code != 409}
    assert [path.name for path in (folder / "uploads").iterdir()] == list(run_ids)
    assert len(_stored(engine)) == len(_kept(folder)) == 1


def test_what_does_not_fit_starts_nothing_and_keeps_nothing(ada: httpx.Client, engine: Engine, folder: Path) -> None:
    photo = ("a.png", IMAGE)
    for more, path in (
        ({"count": (None, "many")}, "/params/count"),
        ({"text": ("a.bin", b"\xff")}, "/params/text"),
        ({"text": (None, b"\xff")}, "/params/text"),
        ({"wheel": ("a.bin", b"1")}, "/params/wheel"),
    ):
        issues = assert_problem(ada.post(LAUNCH, files={"photo": photo, **more}), 422, "invalid_params")["issues"]
        assert [issue["path"] for issue in issues] == [path]
    for launch, status, code in (
        ("{", 400, "bad_request"),
        ('{"parms": {}}', 422, "invalid_request"),
        ('{"version": 9}', 404, "version_not_found"),
    ):
        assert_problem(ada.post(LAUNCH, files={"photo": photo, "$launch": (None, launch)}), status, code)
    assert (_stored(engine), _kept(folder)) == ([], [])


def test_files_of_a_launch_that_was_not_accepted_are_removed_unless_perhaps_it_was(
    ada: httpx.Client, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Launching is replaced: no test can delete the graph, or lose the database, between the files and the run."""

    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("trigger_api.runs.launching.Launcher.launch", fail)
    failure: Exception = GraphNotFound("There is no graph press.")
    sent = {"photo": ("a.png", IMAGE)}
    assert_problem(ada.post(LAUNCH, files=sent), 404, "graph_not_found")
    assert (_kept(folder), list((folder / "uploads").iterdir())) == ([], [])
    failure = Unavailable("The database cannot be reached.")
    assert_problem(ada.post(LAUNCH, files=sent), 503, "unavailable")
    assert len(_kept(folder)) == 1
    assert _stored(engine) == []


def test_files_are_kept_all_or_none(
    ada: httpx.Client, engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is replaced: none fails at the second file on demand."""
    taken: list[str] = []

    def keep(settings: Settings, owner: str, path: str, content: bytes) -> None:
        taken.append(path)
        if len(taken) == 2:
            raise Unavailable("The store of files does not take the file; nothing was started.")
        keep_file(settings, owner, path, content)

    monkeypatch.setattr("trigger_api.shared.uploads.keep_file", keep)
    sent = {"photo": ("a.png", IMAGE), "stamp": ("b.png", IMAGE)}
    assert_problem(ada.post(LAUNCH, files=sent), 503, "unavailable")
    assert len(taken) == 2
    assert (_kept(folder), list((folder / "uploads").iterdir()), _stored(engine)) == ([], [], [])


def test_bodies_that_are_none_are_refused(ada: httpx.Client, engine: Engine, settings: Settings) -> None:
    request = ada.build_request("POST", LAUNCH, files={"text": ("a", b"water")})
    body, kind = request.read(), {"Content-Type": request.headers["Content-Type"]}
    for content, headers in (
        (body[:-10], kind),
        (body[:40], kind),
        (b"", kind),
        (body, {"Content-Type": "multipart/form-data"}),
        (body.replace(b'name="text"', b""), kind),
        (body.replace(b"water", b"water\r\n" + body[: body.index(b"water")] + b"again"), kind),
    ):
        assert_problem(ada.post(LAUNCH, content=content, headers=headers), 400, "bad_request")
    large = {"photo": ("a", bytes(settings.max_body_bytes))}
    assert_problem(ada.post(LAUNCH, files=large), 413, "too_large")
    assert _stored(engine) == []


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        ("../../etc/passwd", "passwd"),
        ("..", "__"),
        ("a/b\\c", "c"),
        ("x" * 300, "x" * 200),
        ("a:b", "a_b"),
        ("file", "file"),
    ],
    ids=["path", "parent", "backslash", "long", "colon", "plain"],
)
def test_a_files_name_leads_nowhere_else(ada: httpx.Client, folder: Path, name: str, kept_as: str) -> None:
    answer = ada.post(LAUNCH, files={"photo": (name, IMAGE)})
    assert answer.status_code == 202
    [kept] = _kept(folder)
    assert kept.parent == folder / "uploads" / answer.json()["run_id"] / hashlib.sha256(IMAGE).hexdigest()
    assert kept.name == kept_as


def test_rights_are_checked_before_the_body_is_read(login: Login, anonymous: httpx.Client, engine: Engine) -> None:
    sent = {"photo": ("a.png", IMAGE)}
    assert_problem(anonymous.post(LAUNCH, files=sent), 401, "unauthorized")
    assert_problem(login("vic", "viewer").post(LAUNCH, files=sent), 403, "forbidden")
    assert_problem(login("eve").post(LAUNCH, files=sent), 404, "graph_not_found")
    assert _stored(engine) == []


def test_the_command_line_sends_files(ada: httpx.Client, address: str, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(IMAGE)
    token = ada.headers["Authorization"].removeprefix("Bearer ")
    environment = {"HEADRACE_URL": address, "HEADRACE_TOKEN": token}
    for photo in (f"photo=@{path}", "photo=@nowhere"):
        arguments = ["run", "press", "-p", photo, "-p", f"seal=@{path}", "-p", "count=3"]
        result = CliRunner().invoke(commands, arguments, env=environment)
        assert (result.exit_code == 0) is (photo != "photo=@nowhere")
    [stored] = _stored(engine)
    assert (stored.params["photo"]["size"], stored.params["count"], list(stored.params["seal"])) == (
        len(IMAGE),
        3,
        ["$bytes"],
    )


def test_in_json_a_file_has_to_be_a_file_value_and_bytes_have_to_be_bytes(ada: httpx.Client) -> None:
    for name, wrong in (("photo", "payroll.csv"), ("photo", {"$file": "files:../x"}), ("seal", "text"), ("seal", 5)):
        (issue,) = assert_problem(ada.post(LAUNCH, json={"params": {name: wrong}}), 422, "invalid_params")["issues"]
        assert (issue["code"], issue["path"]) == ("bad_param", f"/params/{name}")
    own = {"$file": "files:payroll.csv", "size": 1, "media_type": "text/csv", "sha256": None}
    assert ada.post(LAUNCH, json={"params": {"photo": own, "seal": {"$bytes": "AP8="}}}).status_code == 202


def test_tags_that_the_server_sets_are_refused(ada: httpx.Client) -> None:
    for name in ("dagster/run_key", "dagster-k8s/config", ".dagster/x", "headrace/owner", "Dagster/x"):
        (issue,) = assert_problem(ada.post(LAUNCH, json={"tags": {name: "x"}}), 422, "invalid_request")["issues"]
        assert (issue["in"], issue["path"].startswith("/tags")) == ("body", True)
    assert ada.post(LAUNCH, json={"tags": {"dagster": "x", "my/dagster/x": "y"}}).status_code == 202
