"""The HTTP client against a real server on loopback, and every target, answer and delay it must not fall for."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from definitions.services.http_client import HttpClient, Sink
from graph_compiler.nodes.runtime import HttpAnswer, HttpCall
from graph_compiler.values.errors import NodeError
from tests.unit.definitions.site import Site
from tests.waiting import wait_until

MakeClient = Callable[..., HttpClient]


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def url(site: Site) -> str:
    return f"http://127.0.0.1:{site.server_port}"


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    clients: list[HttpClient] = []

    def make(**options: Any) -> HttpClient:
        clients.append(HttpClient(**options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client: MakeClient) -> HttpClient:
    return make_client(allow_private=True, max_bytes=2000)


def get(client: HttpClient, url: str, **options: Any) -> HttpAnswer:
    return send(client, "GET", url, **options)


def send(client: HttpClient, method: str, url: str, *, sink: Sink | None = None, **options: Any) -> HttpAnswer:
    return client.send(HttpCall(method, url, **{"timeout": 10, **options}), sink=sink)


def failure(call: Callable[..., HttpAnswer], *arguments: Any, **options: Any) -> tuple[str, str]:
    with pytest.raises(NodeError) as caught:
        call(*arguments, **options)
    return caught.value.kind, caught.value.message


class TestRequests:
    def test_a_request_arrives_as_it_was_written(self, client: HttpClient, url: str) -> None:
        answer = send(
            client,
            "POST",
            f"{url}/echo?a=1",
            headers={"X-Token": "t"},
            query={"b": ["x y", "z"], "c": 2, "d": True},
            json={"ü": [1, None]},
        )
        told = answer.body
        assert (answer.status, told["method"], json.loads(told["body"])) == (200, "POST", {"ü": [1, None]})
        assert told["query"] == [["a", "1"], ["b", "x y"], ["b", "z"], ["c", "2"], ["d", "true"]]
        assert told["headers"]["x-token"] == "t"
        assert told["headers"]["content-type"] == "application/json"

    def test_a_text_body_is_sent_as_it_is(self, client: HttpClient, url: str) -> None:
        answer = send(client, "PUT", f"{url}/echo", body="grün")
        assert answer.body["body"] == "grün"

    def test_text_is_read_by_its_charset_and_any_status_is_an_answer(self, client: HttpClient, url: str) -> None:
        answer = get(client, f"{url}/text")
        assert (answer.status, answer.body, answer.headers["x-a"]) == (404, "grün", "1")

    @pytest.mark.parametrize(
        "query",
        [
            "?q=a%20b&flag",
            "?a=1&b=2&a=3",
            "?$filter=name%20eq%20'x'",
            "?e=%E4",
            "?sig=%2f%2F+x==",
            "??&&=",
            "?next=a/b?c:d@e,f;g",
            "?bad=%zz",
        ],
    )
    def test_a_query_is_sent_as_it_is_written(self, client: HttpClient, url: str, site: Site, query: str) -> None:
        get(client, f"{url}/echo{query}#part")
        get(client, f"{url}/echo{query}", sink=lambda _: None)
        get(client, f"{url}/go?to={quote('/echo' + query)}")
        assert [path for path in site.seen if "/go" not in path] == [f"/echo{query}"] * 3

    def test_pairs_are_added_after_a_query_that_is_written(self, client: HttpClient, url: str, site: Site) -> None:
        get(client, f"{url}/echo?a=1%20&a", query={"a": [2, True], "b c": "x y/ü"})
        get(client, f"{url}/echo", query={"a": None})
        get(client, f"{url}/echo?", query={"a": []})
        assert site.seen == ["/echo?a=1%20&a&a=2&a=true&b%20c=x%20y%2F%C3%BC", "/echo?a=", "/echo?"]

    def test_headers_that_come_twice_are_one_list_and_cookies_are_not_joined(
        self, client: HttpClient, url: str
    ) -> None:
        headers = get(client, f"{url}/twice").headers
        cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]
        assert (headers["x-tag"], headers["set-cookie"]) == ("a, b", cookies)
        assert get(client, f"{url}/cookie").headers["set-cookie"] == "a=1; Path=/"

    def test_text_in_no_known_charset_stays_bytes(self, client: HttpClient, url: str) -> None:
        assert get(client, f"{url}/latin").body == "grün".encode("latin-1")
        assert get(client, f"{url}/marked").body == "grün"

    def test_packed_answers_are_unpacked(self, client: HttpClient, url: str) -> None:
        assert get(client, f"{url}/packed").body == {"a": [1]}

    def test_empty_json_and_head_have_no_body(self, client: HttpClient, url: str) -> None:
        assert get(client, f"{url}/empty").body is None
        assert send(client, "HEAD", f"{url}/text").body == ""

    def test_cookies_do_not_go_from_one_request_to_the_next(self, client: HttpClient, url: str) -> None:
        get(client, f"{url}/cookie")
        assert "cookie" not in get(client, f"{url}/echo").body["headers"]

    def test_redirects_are_followed_without_the_authorization_of_another_origin(
        self, client: HttpClient, site: Site, url: str
    ) -> None:
        elsewhere = f"http://localhost:{site.server_port}/echo"
        answer = get(client, f"{url}/go?to={elsewhere}", headers={"authorization": "Bearer t"})
        assert (answer.status, "authorization" in answer.body["headers"]) == (200, False)

    def test_no_header_of_the_request_that_could_hold_a_secret_reaches_another_origin(
        self, client: HttpClient, site: Site, url: str
    ) -> None:
        secret = dict.fromkeys(["X-Api-Key", "PRIVATE-TOKEN", "Cookie", "User-Agent", "Proxy-Authorization", "X"], "s3")
        given = {**secret, "Accept": "text/plain", "Referer": "s3"}
        answer = get(client, f"{url}/go?to=http://localhost:{site.server_port}/echo", headers=given)
        sent = answer.body["headers"]
        assert [name for name, value in sent.items() if "s3" in value] == []
        assert (sent["accept"], sent["user-agent"]) == ("text/plain", "headrace")
        kept = get(client, f"{url}/go?to={url}/echo", headers=given).body["headers"]
        # The library takes cookies off at each redirect.
        assert {name.lower() for name in given} - {"cookie"} <= kept.keys()

    def test_threads_share_a_client(self, client: HttpClient, url: str) -> None:
        def ask(n: int) -> Any:
            return get(client, f"{url}/echo", query={"n": n}).body["query"]

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, range(40))) == [[["n", str(n)]] for n in range(40)]


class TestRefusedTargets:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1%eth0",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "2001:db8::1",
        ],
    )
    def test_a_name_that_leads_to_no_public_address_is_refused(self, make_client: MakeClient, address: str) -> None:
        client = make_client(resolve=lambda host, port: [address])
        assert failure(get, client, "http://example.com/") == (
            "http_refused_target",
            "GET http://example.com/: example.com is not public, and private addresses are not allowed; "
            "the setting HEADRACE_HTTP_ALLOW_PRIVATE=true allows them",
        )

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
    def test_every_way_to_write_loopback_is_refused(self, make_client: MakeClient, site: Site, host: str) -> None:
        client = make_client()
        kind, _ = failure(get, client, f"http://{host}:{site.server_port}/echo")
        assert (kind, site.seen) == ("http_refused_target", [])

    def test_a_name_is_connected_to_where_it_was_checked(self, make_client: MakeClient, site: Site) -> None:
        """A second resolution, which rebinding needs, never happens."""
        asked: list[str] = []

        def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

        client = make_client(allow_private=True, resolve=rebinding)
        assert get(client, f"http://example.com:{site.server_port}/echo").status == 200
        assert asked == ["example.com"]

    def test_a_redirect_to_a_refused_target_is_refused(
        self, make_client: MakeClient, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The one address of this machine that can serve is loopback, so here it counts as public by its port's name.
        monkeypatch.setattr("definitions.services.http_network.is_public", lambda address: address == "127.0.0.1")
        client = make_client(resolve=lambda host, port: ["127.0.0.1" if host == "public.example" else "10.0.0.1"])
        kind, message = failure(get, client, f"http://public.example:{site.server_port}/go?to=http://inner.example/")
        assert (kind, message.split()[2]) == ("http_refused_target", "inner.example")

    @pytest.mark.parametrize("url", ["", "ftp://example.com/", "/path", "http://", "http://a:b/", "file:///etc/passwd"])
    def test_what_is_no_http_url_is_refused(self, client: HttpClient, url: str) -> None:
        assert failure(get, client, url)[0] == "http_bad_url"


class TestBadAnswers:
    @pytest.mark.parametrize("page", ["big", "bomb"])
    def test_a_large_answer_is_refused(self, client: HttpClient, url: str, page: str) -> None:
        message = "The answer is larger than 2000 bytes; `save_as` streams it into a file."
        assert failure(get, client, f"{url}/{page}") == ("http_too_large", message)

    @pytest.mark.parametrize(
        ("page", "reason"),
        [
            (
                "nan",
                "it is declared as application/json and is not JSON: NaN is not a JSON number; it begins with '[NaN]'",
            ),
            ("bogus", "the charset 'bogus' is not known here; it begins with 'gr�n'"),
            ("lying", "it is not text in utf-8 (byte 2); it begins with 'gr�n'"),
            ("torn", "its gzip ends too early"),
            ("brotli", "its encoding 'br' was not asked for"),
            ("round", "Exceeded maximum allowed redirects."),
            ("go?to=ftp://example.com/", "Request URL has an unsupported protocol 'ftp://'."),
        ],
    )
    def test_an_unusable_answer_is_reported(self, client: HttpClient, url: str, page: str, reason: str) -> None:
        told = f"The answer to GET {url}/{page.partition('?')[0]} cannot be used: {reason}"
        assert failure(get, client, f"{url}/{page}") == ("http_bad_answer", told)

    def test_what_is_not_http_is_reported(self, client: HttpClient, url: str) -> None:
        assert failure(get, client, f"{url}/rubbish")[0] == "http_unreachable"

    def test_nobody_listening_is_reported(self, client: HttpClient) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        kind, message = failure(get, client, f"http://user:password@127.0.0.1:{port}/?token=t")
        assert kind == "http_unreachable"
        assert message.startswith(f"GET http://127.0.0.1:{port}/ cannot be reached:")

    @pytest.mark.parametrize("error", [OSError, UnicodeError, ValueError, RuntimeError])
    def test_a_name_that_does_not_resolve_is_reported(self, make_client: MakeClient, error: type[Exception]) -> None:
        """Of a name that is none Python's resolver raises more than OSError."""

        def nobody(host: str, port: int) -> list[str]:
            raise error("unknown")

        assert failure(get, make_client(resolve=nobody), "http://example.com/") == (
            "http_unreachable",
            "GET http://example.com/ cannot be reached: unknown",
        )

    @pytest.mark.parametrize("host", ["a..example", "x" * 64 + ".example"])
    def test_a_name_that_can_be_none_is_told_at_once(self, client: HttpClient, host: str) -> None:
        kind, message = failure(get, client, f"http://{host}/", timeout=3600)
        assert (kind in ("http_unreachable", "http_bad_url"), host in message) == (True, True), (kind, message)

    def test_a_header_that_http_does_not_know_is_refused_without_its_value(self, client: HttpClient, url: str) -> None:
        assert failure(get, client, f"{url}/echo", headers={"x": "secret\r\ny: z"}) == (
            "http_bad_request",
            f"GET {url}/echo: the method or a header of the request is not valid in HTTP.",
        )


class TestTime:
    def test_an_answer_that_drips_is_cut_at_the_deadline(self, client: HttpClient, url: str) -> None:
        started = time.monotonic()
        told = f"GET {url}/slow did not answer within 0.5 s."
        assert failure(get, client, f"{url}/slow", timeout=0.5) == ("http_timeout", told)
        assert time.monotonic() - started < 5

    def test_a_resolver_that_hangs_is_left_behind(self, make_client: MakeClient) -> None:
        over = threading.Event()

        def hanging(host: str, port: int) -> list[str]:
            over.wait(20)
            return []

        assert failure(get, make_client(resolve=hanging), "http://example.com/", timeout=0.2)[0] == "http_timeout"
        over.set()

    def test_cancel_all_ends_a_request_that_waits(self, client: HttpClient, site: Site, url: str) -> None:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(failure, get, client, f"{url}/slow", timeout=60)
            wait_until(lambda: site.seen, "the request has arrived")
            client.cancel_all()
            assert waiting.result() == ("canceled", "The request was stopped because its run is canceled.")
        assert get(client, f"{url}/echo").status == 200


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A certificate for localhost that signs itself, with its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / "localhost.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    @pytest.fixture
    def port(self, site: Site, certificate: Path) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        site.socket = context.wrap_socket(site.socket, server_side=True)
        return site.server_port

    def test_the_certificate_must_be_trusted(self, client: HttpClient, port: int) -> None:
        kind, message = failure(get, client, f"https://localhost:{port}/echo")
        assert (kind, "CERTIFICATE_VERIFY_FAILED" in message) == ("http_unreachable", True)

    def test_the_certificate_is_checked_for_the_name_not_the_address(
        self, make_client: MakeClient, port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        client = make_client(allow_private=True, resolve=lambda host, port: ["127.0.0.1"])
        assert get(client, f"https://localhost:{port}/echo").status == 200
        assert failure(get, client, f"https://other.example:{port}/echo")[0] == "http_unreachable"
