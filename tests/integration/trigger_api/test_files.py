"""Files of owners over HTTP: whole, in ranges, by tag, safe for browsers, and only one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from platform_core.database.tables import run_events
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, Login, assert_problem, document, end_run

CONTENT = bytes(range(256)) * 4096
FILES = f"{API}/files"


@pytest.fixture
def folder(settings: Settings) -> Path:
    """The folder of ada's files, with one in it."""
    folder = settings.home / "files" / "ada"
    (folder / "reports").mkdir(parents=True)
    (folder / "reports" / "sums.csv").write_bytes(CONTENT)
    return folder


def test_a_file_is_answered_whole_with_headers_that_keep_a_page_from_being_ours(
    ada: httpx.Client, folder: Path
) -> None:
    (folder / "häß lich.html").write_text("<script>alert(1)</script>")
    found = ada.get(f"{FILES}/h%C3%A4%C3%9F%20lich.html")
    assert (found.status_code, found.text) == (200, "<script>alert(1)</script>")
    assert {name: found.headers[name] for name in ("content-type", "content-length", "accept-ranges")} == {
        "content-type": "text/html",
        "content-length": "25",
        "accept-ranges": "bytes",
    }
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-disposition"] == "attachment; filename*=UTF-8''h%C3%A4%C3%9F%20lich.html"
    shown = ada.get(f"{FILES}/reports/sums.csv", params={"inline": True})
    assert (shown.content, shown.headers["content-type"]) == (CONTENT, "text/csv")
    assert shown.headers["content-disposition"] == "inline; filename*=UTF-8''sums.csv"


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-300000", 1000, 300001),
        ("bytes=-5", len(CONTENT) - 5, len(CONTENT)),
        ("bytes=1048575-", 1048575, 1048576),
        ("bytes=5-99999999", 5, len(CONTENT)),
        ("bytes=-99999999", 0, 1 << 20),
    ],
)
def test_a_range_is_answered_alone(ada: httpx.Client, folder: Path, wanted: str, start: int, end: int) -> None:
    found = ada.get(f"{FILES}/reports/sums.csv", headers={"Range": wanted})
    assert (found.status_code, found.content) == (206, CONTENT[start:end])
    assert found.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert found.headers["content-length"] == str(end - start)


@pytest.mark.parametrize("wanted", ["bytes=1048576-", "bytes=2000000-3000000", "bytes=-0"])
def test_a_range_after_the_end_is_refused_with_the_size(ada: httpx.Client, folder: Path, wanted: str) -> None:
    found = ada.get(f"{FILES}/reports/sums.csv", headers={"Range": wanted})
    assert assert_problem(found, 416, "range_not_satisfiable")["size"] == len(CONTENT)
    assert found.headers["content-range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("wanted", ["items=0-5", "bytes=0-1,5-6", "bytes=9-3", "bytes=-", "all"])
def test_a_range_that_is_none_is_ignored(ada: httpx.Client, folder: Path, wanted: str) -> None:
    found = ada.get(f"{FILES}/reports/sums.csv", headers={"Range": wanted})
    assert (found.status_code, len(found.content)) == (200, len(CONTENT))


def test_who_has_the_content_gets_none_until_it_changes(ada: httpx.Client, folder: Path) -> None:
    url = f"{FILES}/reports/sums.csv"
    tag = ada.get(url).headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = ada.get(url, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    part = {"Range": "bytes=0-9", "If-Range": tag}
    assert ada.get(url, headers=part).status_code == 206
    (folder / "new").write_bytes(CONTENT[::-1])
    os.replace(folder / "new", folder / "reports" / "sums.csv")
    changed = ada.get(url, headers={**part, "If-None-Match": tag})
    assert (changed.status_code, changed.content) == (200, CONTENT[::-1])
    assert changed.headers["etag"] != tag


def test_an_empty_file_has_no_ranges(ada: httpx.Client, folder: Path) -> None:
    (folder / "empty").touch()
    assert ada.get(f"{FILES}/empty").content == b""
    assert_problem(ada.get(f"{FILES}/empty", headers={"Range": "bytes=0-"}), 416, "range_not_satisfiable")


@pytest.mark.parametrize(
    "path",
    [
        "nothing.csv",
        "reports",
        "reports/",
        "..%2Fbob%2Fsecret.txt",
        "reports/..%2F..%2Fbob/secret.txt",
        "link.txt",
        "pipe",
        "a%00b",
        "%2Fetc%2Fpasswd",
        "x" * 300,
        "reports//sums.csv",
        "C:%5Cx",
    ],
)
def test_what_is_no_file_of_ones_own_is_not_there(ada: httpx.Client, folder: Path, path: str) -> None:
    secret = folder.parent / "bob" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("bob's")
    (folder / "link.txt").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    assert_problem(ada.get(f"{FILES}/{path}"), 404, "file_not_found")


def test_files_of_others_are_only_for_an_administrator(
    ada: httpx.Client, admin: httpx.Client, login: Login, folder: Path, anonymous: httpx.Client
) -> None:
    url = f"{FILES}/reports/sums.csv?owner=ada"
    assert_problem(login("bob").get(url), 404, "file_not_found")
    assert_problem(anonymous.get(url), 401, "unauthorized")
    assert ada.get(url).content == admin.get(url).content == CONTENT
    assert_problem(admin.get(f"{FILES}/reports/sums.csv"), 404, "file_not_found")


def test_files_of_a_run_are_listed_with_their_addresses(
    ada: httpx.Client, login: Login, engine: Engine, folder: Path
) -> None:
    ada.post(f"{API}/graphs", json=document())
    run_id = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}}).json()["run_id"]
    report = {"$file": "files:reports/sums.csv", "size": 7, "media_type": "text/csv", "sha256": "a" * 64}
    page = {"$file": "https://elsewhere.test/p", "size": 3, "media_type": "text/html", "sha256": None}
    with engine.begin() as connection:
        row: dict[str, Any] = {"run_id": run_id, "ts": sa.func.now(), "level": "info", "message": "m"}
        data = {"port": "files", "value": [page, report]}
        connection.execute(run_events.insert().values(seq=2, type="node.output", node="grind", data=data, **row))
    end_run(engine, run_id, outputs={"a/b": [report]})
    url = f"http://headrace.test{FILES}/reports/sums.csv?owner=ada"
    listed = ada.get(f"{API}/runs/{run_id}/files").json()
    shared = {"reference": "files:reports/sums.csv", "size": 7, "media_type": "text/csv", "sha256": "a" * 64}
    assert listed == {
        "items": [
            {"found_in": "/outputs/a~1b/0", **shared, "url": url},
            {
                "found_in": "/nodes/grind/files/0",
                "reference": "https://elsewhere.test/p",
                "size": 3,
                "media_type": "text/html",
                "sha256": None,
                "url": None,
            },
        ]
    }
    assert ada.get(url.removeprefix("http://headrace.test")).content == CONTENT
    assert ada.get(f"{API}/runs/{run_id}/outputs").json()["files"] == [{"found_in": "/a~1b/0", **shared, "url": url}]
    assert_problem(login("bob").get(f"{API}/runs/{run_id}/files"), 404, "run_not_found")
