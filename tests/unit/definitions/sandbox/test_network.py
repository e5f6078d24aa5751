"""What code reaches of the network is what its node says, and the machine enforces it."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from definitions.sandbox.interpreter import CodeInterpreter
from definitions.sandbox.machine import examine
from graph_compiler.nodes.network import Network
from graph_compiler.values.errors import NodeError
from tests.unit.definitions.sandbox.container import run_in_container

needs_namespaces = pytest.mark.skipif(not examine().has_namespaces, reason="the kernel lets us have no namespaces")
SOCKETS = """
import socket
def main(port):
    found = []
    for family, kind in ((2, 1), (2, 2), (10, 1), (2, 3), (16, 3), (17, 3), (40, 1)):
        try:
            with socket.socket(family, kind) as own:
                own.settimeout(5)
                if kind == 2:
                    own.sendto(b"x", ("127.0.0.1", port))
                elif family == 2 and kind == 1:
                    own.connect(("127.0.0.1", port))
                found.append([family, kind])
        except OSError:
            pass
    return found
"""
FETCH = """
import urllib.error, urllib.request
def main(url):
    try:
        return urllib.request.urlopen(url, timeout=10).read().decode()
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode()]
    except OSError as error:
        return str(error)
"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.path} {sorted(name.lower() for name in self.headers)}".encode())

    def log_message(self, format: str, *words: Any) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _run(interpreter: CodeInterpreter, code: str, network: Network, **arguments: Any) -> Any:
    return interpreter.run(code, arguments, timeout=30, on_line=lambda *_: None, network=network)


def test_none_is_no_socket_of_any_kind(interpreter: CodeInterpreter, page: int) -> None:
    assert _run(interpreter, SOCKETS, Network.NONE, port=page) == []
    assert [2, 1] in _run(interpreter, SOCKETS, Network.ALL, port=page)


@pytest.mark.skipif(shutil.which("bash") is None, reason="only bash connects by itself")
def test_none_holds_in_programs_that_the_code_starts(interpreter: CodeInterpreter, page: int) -> None:
    code = "import subprocess\ndef main(port):\n    script = f'(: <>/dev/tcp/127.0.0.1/{port}) && echo connected'\n"
    code += "    return subprocess.run(['bash', '-c', script], capture_output=True, text=True).stdout.strip()"
    assert _run(interpreter, code, Network.ALL, port=page) == "connected"
    assert _run(interpreter, code, Network.NONE, port=page) == ""


def test_none_needs_no_namespaces(page: int) -> None:
    assert run_in_container(SOCKETS, {"port": page}, network="none") == []


@needs_namespaces
def test_public_reaches_nothing_of_this_machine(interpreter: CodeInterpreter, page: int) -> None:
    assert _run(interpreter, FETCH, Network.ALL, url=f"http://127.0.0.1:{page}/x").startswith("/x")
    status, said = _run(interpreter, FETCH, Network.PUBLIC, url=f"http://127.0.0.1:{page}/x")
    assert (status, "not of the public internet" in said) == (403, True)
    for address in ("169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"):
        assert _run(interpreter, FETCH, Network.PUBLIC, url=f"http://{address}:{page}/")[0] == 403
    direct = "import socket\ndef main(port):\n    try: socket.create_connection(('127.0.0.1', port), 5)\n"
    direct += "    except OSError as error: return type(error).__name__"
    assert _run(interpreter, direct, Network.PUBLIC, port=page) == "ConnectionRefusedError"


@needs_namespaces
def test_public_reaches_public_addresses_by_its_proxy() -> None:
    """In a network of the test's own, whose only machine has the address 8.8.4.4."""
    answer = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True)
    plain, tunneled = json.loads(answer.stdout)
    assert plain == "/x?y=1 ['accept-encoding', 'connection', 'host', 'user-agent']"
    assert tunneled == "HTTP/1.0 200 OK"


def test_public_is_refused_where_it_cannot_be_enforced() -> None:
    code = "def main(): return 'ran'"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_in_container(code, {}, network="public")
    assert "network_unavailable" in failed.value.stderr


def test_after_a_call_with_less_the_next_has_all(interpreter: CodeInterpreter, page: int) -> None:
    for network in (Network.NONE, Network.PUBLIC):
        with contextlib.suppress(NodeError):  # where it cannot be enforced
            _run(interpreter, "def main(): pass", network)
        assert [2, 1] in _run(interpreter, SOCKETS, Network.ALL, port=page)


def _in_an_own_network() -> None:
    import os

    from definitions.sandbox import namespaces

    flags = namespaces._NETWORK | (namespaces._USERS if os.geteuid() else 0)
    user = os.geteuid()
    namespaces._checked(namespaces._libc.unshare(flags))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{user} {user} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    namespaces._raise_loopback()
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:  # netdevice(7): SIOCSIFADDR
        address = struct.pack("16sHH4s8x", b"lo", socket.AF_INET, 0, socket.inet_aton("8.8.4.4"))
        fcntl.ioctl(anything, 0x8916, address)
    with http.server.ThreadingHTTPServer(("8.8.4.4", 80), _Page) as server, CodeInterpreter() as interpreter:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tunnel = "import http.client\ndef main():\n    c = http.client.HTTPConnection('127.0.0.1', 3128)\n"
        tunnel += "    c.set_tunnel('8.8.4.4', 80)\n    c.request('GET', '/')\n    r = c.getresponse()\n"
        tunnel += "    return f'HTTP/{r.version / 10} {r.status} {r.reason}'"
        fetched = _run(interpreter, FETCH, Network.PUBLIC, url="http://8.8.4.4/x?y=1")
        json.dump([fetched, _run(interpreter, tunnel, Network.PUBLIC)], sys.stdout)
        server.shutdown()


if __name__ == "__main__":
    _in_an_own_network()
