"""Runs from a file: how it is read, how it is sent, and what is said of what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from headrace_cli.client.client import Client
from headrace_cli.client.connection import Server
from headrace_cli.commands.batch import MOST, Row, launch_rows, read_rows
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode


def _client(requests: list[httpx.Request], refuse: frozenset[str] = frozenset()) -> Client:
    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        runs = []
        for index, run in enumerate(json.loads(request.content)["runs"]):
            if run["params"].get("name") in refuse:
                issue = {"code": "bad_param", "path": f"/runs/{index}/params/name", "message": "no"}
                error = {"code": "invalid_params", "detail": "bad", "issues": [issue]}
                runs.append({"index": index, "error": error})
            else:
                runs.append({"index": index, "run_id": f"id-{len(requests)}-{index}", "status": "QUEUED", "version": 1})
        refused = sum("error" in run for run in runs)
        counts = {"accepted": len(runs) - refused, "repeated": 0, "refused": refused}
        return httpx.Response(202, json={"graph": "mill", **counts, "runs": runs})

    return Client(Server("http://headrace.test", "token"), transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("text", "places"),
    [('{"n": 1}\n\n{"n": 2}\n', [":1", ":3"]), (' [{"n": 1},\n {"n": 2}]', ["[0]", "[1]"])],
)
def test_json_lines_and_an_array_are_read(tmp_path: Path, text: str, places: list[str]) -> None:
    path = tmp_path / "rows"
    path.write_text(text)
    assert read_rows(path) == [Row(f"{path}{place}", {"n": n}) for n, place in enumerate(places, 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no runs"),
        ("[]", "holds no runs"),
        ('{"n": 1}\n7', ":2 is not an object"),
        ("[[]]", r"\[0\] is not an object"),
        ('{"n": 1}\n{"n":', ":2 is not JSON"),
        ("[{]", "is not JSON"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "rows"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CommandError, match=said):
        read_rows(path)


def test_rows_win_over_common_params_and_refused_ones_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    requests: list[httpx.Request] = []
    rows = [Row("f:1", {"name": "a"}), Row("f:2", {"name": "b"}), Row("f:4", {})]
    with _client(requests, frozenset({"b"})) as client:
        code = launch_rows(client, "mill", rows, {"name": "common", "wheel": "oak"}, 3, "key", False)
    assert code == ExitCode.REFUSED
    assert [request.headers["idempotency-key"] for request in requests] == ["key"]
    assert json.loads(requests[0].content)["runs"] == [
        {"params": {"name": name, "wheel": "oak"}, "version": 3} for name in ("a", "b", "common")
    ]
    said = capsys.readouterr()
    assert said.out == "id-1-0\nid-1-2\n"
    assert said.err == "f:2: /params/name: bad_param: no\n2 started, 1 refused\n"


def test_more_than_a_request_takes_goes_in_portions(capsys: pytest.CaptureFixture[str]) -> None:
    requests: list[httpx.Request] = []
    rows = [Row(f"f:{n}", {"n": n}) for n in range(2 * MOST + 1)]
    with _client(requests) as client:
        assert launch_rows(client, "mill", rows, {}, None, "key", True) == ExitCode.OK
    assert [request.headers["idempotency-key"] for request in requests] == ["key", "key.1", "key.2"]
    said = json.loads(capsys.readouterr().out)
    assert (said["accepted"], said["refused"]) == (2 * MOST + 1, 0)
    assert [run["index"] for run in said["runs"]] == list(range(2 * MOST + 1))
