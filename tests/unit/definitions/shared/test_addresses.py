"""Where a home's processes meet."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from definitions.shared import addresses
from definitions.shared.addresses import CodeServerAddress
from platform_core.settings import Settings


def test_code_server_is_a_socket_of_the_home_unless_a_host_is_named(tmp_path: Path) -> None:
    own = Settings(home=tmp_path)
    far = Settings(home=tmp_path, code_server_host="graphs.test", code_server_port=4000)
    run_folder = addresses.run_folder(tmp_path)
    assert addresses.code_server(own) == CodeServerAddress("localhost", None, str(run_folder / "code.sock"))
    assert addresses.code_server(far) == CodeServerAddress("graphs.test", 4000, None)


def test_sockets_of_a_deep_home_fit_and_differ_by_home() -> None:
    deep = [Path("/srv") / ("x" * 100) / name for name in ("one", "two")]
    folders = [addresses.run_folder(home) for home in deep]
    assert folders[0] != folders[1]
    for home in deep:
        assert len(os.fsencode(addresses.pool_socket(home))) < 108


def test_waiting_ends_when_the_code_server_takes_connections(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert not addresses.wait_for_code_server(settings, patience=0.1)
    path = Path(addresses.code_server(settings).socket or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        assert addresses.wait_for_code_server(settings)
