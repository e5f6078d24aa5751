"""`email.send` to a real SMTP server of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from definitions.services.services import Services
from graph_compiler.values.errors import NodeError
from tests.integration.nodes.brokers import free_port
from tests.integration.nodes.nodes import run_node


class Inbox:
    """Keeps what arrives; knows nobody whose name begins with `unknown`."""

    def __init__(self) -> None:
        self.kept: list[tuple[Envelope, Message]] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any) -> str:
        if address.startswith("unknown"):
            return "550 no such mailbox"
        if address.startswith("later"):
            return "450 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.kept.append((envelope, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def url(inbox: Inbox) -> Iterator[str]:
    def log_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"ann", b"s3cr3t"), handled=False)

    port = free_port()
    controller = Controller(inbox, "127.0.0.1", port, authenticator=log_in, auth_require_tls=False)
    controller.start()
    try:
        yield f"smtp://ann:s3cr3t@127.0.0.1:{port}?tls=none"
    finally:
        controller.stop()


def send(services: Services, url: str, **config: Any) -> dict[str, Any]:
    base = {"server": "smtp", "from": "Ann <ann@x.test>", "to": ["bob@x.test"], "subject": "Hi", "text": "Hello"}
    return run_node(services, "email.send", base | config, secrets={"smtp": url})


def test_message_arrives_with_its_parts(services: Services, url: str, inbox: Inbox) -> None:
    run_node(services, "file.write", {"path": "r/totals.csv", "content": "a,b\n"})
    answer = send(
        services,
        url,
        cc=["cat@x.test"],
        bcc=["dan@x.test"],
        reply_to="eve@x.test",
        subject="Grüße",
        html="<b>Hello</b>",
        attachments=["r/totals.csv"],
    )
    [(envelope, message)] = inbox.kept
    assert (envelope.mail_from, envelope.rcpt_tos) == ("ann@x.test", ["bob@x.test", "cat@x.test", "dan@x.test"])
    headers = {name: message[name] for name in ("from", "to", "cc", "bcc", "reply-to", "subject", "message-id")}
    assert headers == {
        "from": "Ann <ann@x.test>",
        "to": "bob@x.test",
        "cc": "cat@x.test",
        "bcc": None,
        "reply-to": "eve@x.test",
        "subject": "Grüße",
        "message-id": answer["message_id"],
    }
    parts = [(part.get_content_type(), part.get_filename()) for part in message.walk() if not part.is_multipart()]
    assert parts == [("text/plain", None), ("text/html", None), ("text/csv", "totals.csv")]


@pytest.mark.parametrize(
    ("config", "change", "expected"),
    [
        ({"to": ["unknown@x.test"]}, {}, ("email_refused", False)),
        ({"to": ["later@x.test"]}, {}, ("email_refused", True)),
        ({"to": ["bob@x.test", "unknown@x.test"]}, {}, ("email_refused", False)),
        ({}, {"s3cr3t": "other"}, ("email_refused", False)),
        ({}, {"?tls=none": ""}, ("email_unreachable", True)),
        ({}, {"127.0.0.1": "127.0.0.2"}, ("email_unreachable", True)),
        ({}, {"smtp://": "http://"}, ("email_bad_url", False)),
        ({"subject": "Hi\nBcc: all@x.test"}, {}, ("email_bad_message", False)),
        ({"to": ["bob@x.test\r\nBcc: all@x.test"]}, {}, ("email_bad_message", False)),
        ({"attachments": ["none.csv"]}, {}, ("file_missing", False)),
    ],
)
def test_failure_has_its_kind(
    services: Services, url: str, config: Any, change: dict[str, str], expected: tuple[str, bool]
) -> None:
    for old, new in change.items():
        url = url.replace(old, new)
    with pytest.raises(NodeError) as raised:
        send(services, url, **config)
    assert (raised.value.kind, raised.value.retryable) == expected
    assert "s3cr3t" not in str(raised.value)
