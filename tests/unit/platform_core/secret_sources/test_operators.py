"""Secrets of the operator: who may read which, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from platform_core.errors import SecretSourceAway
from platform_core.secret_sources.operators import EnvironmentSecrets, FileSecrets
from platform_core.secret_sources.outside import OutsideSecrets
from platform_core.secret_sources.source import FoundSecret, Shared, SourceName
from platform_core.settings import Settings

SHARED = Shared({"oak": ["ada"], "elm": ["*"], "ash": []})


def test_only_owners_that_are_named_may_read_a_variable() -> None:
    variables = {name: SecretStr(name * 2) for name in ("oak", "elm", "ash", "yew")}
    source = EnvironmentSecrets(variables, SHARED)
    assert [source.read("ada", name) for name in ("oak", "elm", "ash", "yew")] == ["oakoak", "elmelm", None, None]
    assert source.read("bob", "oak") is None
    assert (sorted(source.names("ada")), sorted(source.names("bob"))) == (["elm", "oak"], ["elm"])


def test_only_owners_that_are_named_may_read_a_file(tmp_path: Path) -> None:
    for name in ("oak", "ash", "yew"):
        (tmp_path / name).write_text(f"{name}\n\n")
    source = FileSecrets(tmp_path, SHARED)
    assert [source.read("ada", name) for name in ("oak", "elm", "ash", "yew")] == ["oak\n", None, None, None]
    assert source.read("bob", "oak") is None
    assert list(source.names("ada")) == ["oak"]


def test_a_mounted_secret_of_kubernetes_is_read_as_it_is_now(tmp_path: Path) -> None:
    """The kubelet swaps the link `..data` to a folder with the new values."""
    for version in ("..2026_1", "..2026_2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "oak").write_text(version)
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "oak").symlink_to("..data/oak")
    source = FileSecrets(tmp_path, SHARED)
    assert source.read("ada", "oak") == "..2026_1"
    (tmp_path / "..new").symlink_to("..2026_2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert source.read("ada", "oak") == "..2026_2"


@pytest.mark.parametrize("content", [b"\xff", b"x" * 70_000])
def test_a_file_that_is_no_secret_is_said_to_be_none_without_its_content(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "oak").write_bytes(content)
    with pytest.raises(SecretSourceAway, match=r"The file of the secret oak") as refused:
        FileSecrets(tmp_path, SHARED).read("ada", "oak")
    assert "xxx" not in refused.value.detail


def outside(tmp_path: Path, *names: str) -> OutsideSecrets:
    folder = tmp_path / "mounted"
    folder.mkdir()
    (tmp_path / "beside").write_text("beside")
    for name in ("oak", "elm"):
        (folder / name).write_text("of a file")
    return OutsideSecrets.of(Settings(secrets_folder=folder, shared_secrets={name: ["*"] for name in names}))


def test_the_environment_goes_before_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SECRET_OAK", "of a variable")
    found = outside(tmp_path, "oak", "elm")
    assert found.read("ada", "oak") == FoundSecret("of a variable", SourceName.ENVIRONMENT)
    assert found.read("ada", "elm") == FoundSecret("of a file", SourceName.FILE)
    assert found.names("ada") == {"oak": SourceName.ENVIRONMENT, "elm": SourceName.FILE}
    assert "of a variable" not in repr(found.read("ada", "oak"))


def test_the_master_key_is_no_secret_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_SECRET_KEY", "k" * 32)
    found = outside(tmp_path, "key")
    assert (found.read("ada", "key"), found.names("ada")) == (None, {})


@pytest.mark.parametrize("name", ["../beside", "/etc/passwd", "..data", "", "OAK", "oak\n", "a/b"])
def test_a_name_leads_to_no_other_file(tmp_path: Path, name: str) -> None:
    assert outside(tmp_path, name).read("ada", name) is None
