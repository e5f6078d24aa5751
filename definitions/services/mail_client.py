"""Sends messages by an SMTP server: encrypted unless it is told otherwise, with files streamed from the store."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from typing import BinaryIO
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from definitions.services.service_targets import ServiceRefused, pinned_address
from graph_compiler.nodes.runtime import Email
from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import media_type_of, name_of

MAX_ATTACHMENTS = 20 * 1024 * 1024
OpenFile = Callable[[str], AbstractContextManager[BinaryIO]]


class MailClient:
    """Sends by servers that secrets name: `smtp://user:password@host:587`, `smtps://…:465`, `?tls=none` without."""

    def __init__(self, *, allow_private: bool, context: ssl.SSLContext | None = None) -> None:
        self._allow_private = allow_private
        self._context = context

    def send(self, url: str, email: Email, *, timeout: float, open_file: OpenFile) -> str:
        """Send, and return the message's id. Raises `NodeError` email_*."""
        server = _server(url)
        message = _message(email, open_file)
        try:
            with self._connected(server, timeout) as smtp:
                refused = smtp.send_message(message, email.sender, [*email.to, *email.cc, *email.bcc])
        except ServiceRefused:
            said = "the mail server's address is not public; private ones are not allowed here"
            raise NodeError("email_refused", said, retryable=False) from None
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise _refusal(error) from None
        except smtplib.SMTPAuthenticationError:
            raise NodeError("email_refused", "the mail server refuses the login", retryable=False) from None
        except (smtplib.SMTPException, OSError) as error:
            said = f"the mail server cannot be reached, or broke off: {type(error).__name__}"
            raise NodeError("email_unreachable", said) from None
        if refused:
            said = f"sent, but refused for {len(refused)} of the recipients: {', '.join(sorted(refused))[:300]}"
            raise NodeError("email_refused", said, retryable=False)
        return str(message["message-id"])

    def _connected(self, server: SplitResult, timeout: float) -> smtplib.SMTP:
        tls = parse_qs(server.query).get("tls", ["required"])[0]
        host, port = server.hostname or "", server.port or (465 if server.scheme == "smtps" else 587)
        address = pinned_address(host, port, allow_private=self._allow_private)
        context = self._context or ssl.create_default_context()
        smtp: smtplib.SMTP
        if server.scheme == "smtps":
            smtp = _PinnedTls(host, address, port, timeout=timeout, context=context)
        else:
            smtp = _Pinned(host, address, port, timeout=timeout)
        try:
            if server.scheme == "smtp" and tls != "none":
                smtp.starttls(context=context)
            if server.username:
                smtp.login(unquote(server.username), unquote(server.password or ""))
        except BaseException:
            smtp.close()
            raise
        return smtp


class _Pinned(smtplib.SMTP):
    """Connects to the address that was checked, and speaks to the host that was named."""

    def __init__(self, host: str, address: str, port: int, *, timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._host = host  # smtplib's name of the host whose certificate is checked
        self.connect(address, port)


class _PinnedTls(smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def __init__(self, host: str, address: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        super().__init__(timeout=timeout, context=context)
        self._host = host
        self.connect(address, port)


def _server(url: str) -> SplitResult:
    try:
        server = urlsplit(url)
        usable = server.scheme in ("smtp", "smtps") and bool(server.hostname) and (server.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        said = "the secret is not a mail server's address such as smtp://user:password@mail.example.com:587"
        raise NodeError("email_bad_url", said, retryable=False)
    return server


def _message(email: Email, open_file: OpenFile) -> EmailMessage:
    message = EmailMessage(SMTP)
    try:
        message["From"] = email.sender
        message["To"] = ", ".join(email.to)
        if email.cc:
            message["Cc"] = ", ".join(email.cc)
        if email.reply_to:
            message["Reply-To"] = email.reply_to
        message["Subject"] = email.subject
        message["Message-ID"] = make_msgid(domain="headrace.invalid")
        message.set_content(email.text)
        if email.html is not None:
            message.add_alternative(email.html, subtype="html")
    except (ValueError, MessageError, IndexError) as error:
        raise NodeError("email_bad_message", f"the message cannot be written: {error}", retryable=False) from None
    left = MAX_ATTACHMENTS
    for reference in email.attachments:
        with open_file(reference) as file:
            content = file.read(left + 1)
        left -= len(content)
        if left < 0:
            said = f"the attachments have more than {MAX_ATTACHMENTS} bytes"
            raise NodeError("email_bad_message", said, retryable=False)
        kind, _, subtype = media_type_of(reference).partition("/")
        message.add_attachment(content, maintype=kind, subtype=subtype, filename=name_of(reference))
    return message


def _refusal(error: smtplib.SMTPException) -> NodeError:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        said = f"refused for every recipient: {', '.join(sorted(error.recipients))[:300]}"
    else:
        assert isinstance(error, smtplib.SMTPResponseException)
        codes = [error.smtp_code]
        said = f"the mail server refuses the message: {error.smtp_code}"
    # 4yz means: try again later.
    return NodeError("email_refused", said, retryable=all(400 <= code < 500 for code in codes))
