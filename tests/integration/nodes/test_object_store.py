"""Files in a real S3 server (SeaweedFS, a wheel of PyPI): with a user's keys, and as the installation's own store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import s3fs

from definitions.execution.context import ProcessContext
from definitions.services.services import Services
from definitions.services.spilled_values import SpilledValues
from graph_compiler.values.errors import NodeError
from platform_core.errors import Unavailable
from platform_core.runs.upload_store import are_older, remove_uploads, runs_with_uploads
from platform_core.settings import Settings
from tests.integration.nodes.brokers import free_ports, program, serving
from tests.integration.nodes.nodes import run_node, services_of
from tests.waiting import wait_until
from trigger_api.shared.multipart import Part
from trigger_api.shared.uploads import Uploads

KEYS = {"key": "ANNSKEY", "secret": "s3cr3ts3cr3t"}
CONTENT = bytes(range(256)) * 40_000  # more than one part of an upload


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("s3")
    master, volume, filer, port, metrics = free_ports(5)
    user = {"name": "ann", "credentials": [{"accessKey": KEYS["key"], "secretKey": KEYS["secret"]}]}
    (folder / "s3.json").write_text(json.dumps({"identities": [user | {"actions": ["Admin"]}]}))
    ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={port}"]
    # Each also takes its port plus 10,000 for gRPC, unless it is given another.
    grpc = free_ports(4)
    ports += [
        f"-{part}.port.grpc={number}" for part, number in zip(("master", "volume", "filer", "s3"), grpc, strict=True)
    ]
    place = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-metricsPort={metrics}", "-volume.max=10"]
    command = [program("weed"), "server", "-filer", "-s3", f"-s3.config={folder / 's3.json'}", *place, *ports]
    url = f"http://127.0.0.1:{port}"

    def has_a_bucket() -> bool:
        try:
            s3fs.S3FileSystem(**KEYS, endpoint_url=url, skip_instance_cache=True).mkdir("headrace")
        except OSError:
            return False
        return True

    with serving(command, port, folder):
        wait_until(has_a_bucket, "the store takes a bucket", 60.0)
        yield url


def connection(endpoint: str, **other: str) -> dict[str, str]:
    return {"store": json.dumps(KEYS | {"endpoint_url": endpoint} | other)}


def test_file_is_written_listed_read_and_copied(services: Services, endpoint: str) -> None:
    def run(type: str, **config: Any) -> dict[str, Any]:
        return run_node(services, type, config | {"connection": "store"}, secrets=connection(endpoint))

    url = "s3://headrace/in/data.bin"
    written = run("file.write", path=url, content=CONTENT)["file"]
    digest = sha256(CONTENT).hexdigest()
    assert written == {
        "$file": url, "size": len(CONTENT), "media_type": "application/octet-stream", "sha256": digest,
    }  # fmt: skip
    copied = run("file.write", path="s3://headrace/in/copy.bin", **{"from": written})["file"]
    assert (copied["size"], copied["sha256"]) == (len(CONTENT), digest)
    run("file.write", path="s3://headrace/in/a.json", content={"a": 1}, **{"as": "json"})
    assert run("file.read", file="s3://headrace/in/a.json", **{"as": "json"})["content"] == {"a": 1}
    names = [
        file["$file"].removeprefix("s3://headrace/in/") for file in run("file.list", folder="s3://headrace/in")["files"]
    ]
    assert names == ["a.json", "copy.bin", "data.bin"]


def test_listing_has_all_files_below_by_name_or_says_that_there_are_more(services: Services, endpoint: str) -> None:
    given = connection(endpoint)["store"]
    store = s3fs.S3FileSystem(**KEYS, endpoint_url=endpoint, skip_instance_cache=True)
    names = sorted([f"{number}.txt" for number in range(7)] + ["deep/er/8.txt", "deep/9.txt"])
    for name in [*names, ".headrace-0123", "deep/.headrace-4567"]:
        store.pipe_file(f"headrace/listed/{name}", b"x")
    store.pipe_file("headrace/listed-too/0.txt", b"x")
    store.call_s3("put_object", Bucket="headrace", Key="listed/marked/")  # as consoles of stores make folders

    def listed(limit: int, folder: str = "s3://headrace/listed") -> list[str]:
        files = services.list_files(folder, limit=limit, connection=given)
        assert {file["size"] for file in files} <= {1}
        return [file["$file"].removeprefix("s3://headrace/listed/") for file in files]

    assert listed(1000) == listed(9) == listed(9, "s3://headrace/listed/") == names
    assert listed(9, "s3://headrace/listed/deep") == ["deep/9.txt", "deep/er/8.txt"]
    assert listed(9, "s3://headrace/none") == []
    for folder in ("s3://headrace/listed", "s3://headrace"):
        with pytest.raises(NodeError, match="more than 8 files are here") as raised:
            listed(8, folder)
        assert raised.value.kind == "file_too_many"


def test_failures_have_their_kinds_and_show_no_keys(services: Services, endpoint: str) -> None:
    def kind(url: str, **other: str) -> str:
        with pytest.raises(NodeError) as raised:
            run_node(services, "file.read", {"file": url, "connection": "store"}, secrets=connection(endpoint, **other))
        assert "s3cr3t" not in raised.value.message
        return raised.value.kind

    assert kind("s3://headrace/none") == "file_missing"
    assert kind("s3://headrace/none", secret="other-s3cr3t") in ("file_refused", "file_unavailable")
    assert kind("s3://headrace/none", endpoint_url="http://127.0.0.1:9") == "file_unavailable"


def test_unfinished_object_never_comes_to_be(services: Services, endpoint: str) -> None:
    given = connection(endpoint)["store"]
    with suppress(RuntimeError), services.create_file("s3://headrace/part", connection=given) as sink:
        sink.write(CONTENT)
        raise RuntimeError
    assert services.list_files("s3://headrace/part", limit=10, connection=given) == []


def test_installation_keeps_its_own_files_and_large_values_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    settings = Settings(home=tmp_path, files_url="s3://headrace/files", values_url="s3://headrace/values")
    process = ProcessContext(settings)
    ann, bob = services_of(process, "ann"), services_of(process, "bob")
    run_node(ann, "file.write", {"path": "a/b.txt", "content": "hello"})
    assert run_node(ann, "file.read", {"file": "a/b.txt"})["content"] == "hello"
    assert run_node(bob, "file.list", {})["files"] == []
    with pytest.raises(NodeError) as raised:  # the process's keys are not the user's
        run_node(ann, "file.read", {"file": "s3://headrace/files/ann/a/b.txt"})
    assert raised.value.kind in ("file_refused", "file_unavailable")
    location = process.spilled_values.write("run-1", '{"a": 1}')
    assert process.spilled_values.read(location) == '{"a": 1}'
    process.spilled_values.delete("run-1")
    with pytest.raises(FileNotFoundError):
        process.spilled_values.read(location)
    process.http.close()


def test_files_that_callers_send_are_kept_there_until_their_run_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    settings = Settings(home=tmp_path, files_url="s3://headrace/sent")
    ann = services_of(ProcessContext(settings), "ann")
    sent = Uploads(), Uploads()
    content = CONTENT[:1_000_000]
    values = [uploads.add(Part(content, "data.bin", "application/octet-stream")) for uploads in sent]
    for uploads in sent:
        uploads.keep(settings, "ann")
        uploads.keep(settings, "ann")  # a second time it is the same file
    assert run_node(ann, "file.read", {"file": values[0], "as": "bytes"})["content"] == content
    run_node(ann, "file.write", {"path": "uploads/own/a.txt", "content": "mine"})
    assert runs_with_uploads(settings, "ann") == sorted(uploads.run_id for uploads in sent)
    assert runs_with_uploads(settings, "bob") == []
    assert [are_older(settings, "ann", sent[0].run_id, seconds) for seconds in (3600, -3600)] == [False, True]
    remove_uploads(settings, "ann", sent[0].run_id)
    remove_uploads(settings, "ann", sent[0].run_id)
    with pytest.raises(NodeError, match="file_missing"):
        run_node(ann, "file.read", {"file": values[0]})
    assert run_node(ann, "file.read", {"file": values[1], "as": "bytes"})["content"] == content
    names = [file["$file"] for file in run_node(ann, "file.list", {"folder": "uploads"})["files"]]
    assert names == sorted([values[1]["$file"], "files:uploads/own/a.txt"])


def test_a_store_that_is_away_takes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS["key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS["secret"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # how long the client tries is not what this shows
    s3fs.S3FileSystem.clear_instance_cache()  # an instance keeps the address it was made with
    settings = Settings(home=tmp_path, files_url="s3://headrace/sent")
    uploads = Uploads()
    uploads.add(Part(b"x", "a", "text/plain"))
    for act in (uploads.keep, uploads.remove):
        with pytest.raises(Unavailable):
            act(settings, "ann")
    with pytest.raises(Unavailable):
        SpilledValues("s3://headrace/values").delete("run-1")
    s3fs.S3FileSystem.clear_instance_cache()
