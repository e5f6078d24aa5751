"""`email.send`: a message by an SMTP server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from graph_compiler.nodes.failures import FILE_FAILURES
from graph_compiler.nodes.node_type import (
    NAMES_SECRET,
    TEMPLATED,
    FailureKind,
    NodeCall,
    NodeConfig,
    NodeType,
    Port,
    Ports,
)
from graph_compiler.nodes.runtime import Email
from graph_compiler.values.durations import Duration
from graph_compiler.values.file_values import FileReference, reference_of
from graph_compiler.values.values import as_text

Addresses = Annotated[list[str], Field(max_length=100)]
Text = Annotated[Any, WithJsonSchema({"type": "string"}), TEMPLATED]


class EmailSendConfig(NodeConfig):
    """Config of `email.send`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "server": "smtp_url",
                    "from": "reports@example.com",
                    "to": ["{{ params.reader }}"],
                    "subject": "Totals of {{ params.day }}",
                    "text": "{{ inputs.text }}",
                    "attachments": ["{{ inputs.report }}"],
                }
            ]
        }
    )

    server: str = Field(
        json_schema_extra=NAMES_SECRET,
        description=(
            "Name of the secret with the address: `smtp://user:password@host:587` (STARTTLS) or `smtps://…`;"
            " `?tls=none` for neither."
        ),
    )
    from_: Annotated[str, TEMPLATED] = Field(alias="from", description="The sender.")
    to: Annotated[Addresses, Field(min_length=1), TEMPLATED] = Field(description="The recipients, at most 100.")
    cc: Annotated[Addresses, TEMPLATED] = Field(default_factory=list, description="Who gets a copy.")
    bcc: Annotated[Addresses, TEMPLATED] = Field(default_factory=list, description="Who gets a copy that nobody sees.")
    reply_to: Annotated[str | None, TEMPLATED] = Field(default=None, description="Where answers go.")
    subject: Text = Field(description="The subject, one line.")
    text: Text = Field(default="", description="The message as plain text.")
    html: Annotated[str | None, TEMPLATED] = Field(default=None, description="The message as HTML beside the text.")
    attachments: Annotated[list[FileReference], TEMPLATED] = Field(
        default_factory=list, description="Files: file values, paths or URLs, of 20 MiB together."
    )
    timeout: Duration = Field(default=30.0, description="Of each answer of the server.")


class EmailSend(NodeType[EmailSendConfig]):
    """See the module."""

    name = "email.send"
    summary = "Send an email by an SMTP server."
    config_model = EmailSendConfig
    notes = "A retry after a lost answer may send it twice, as always with SMTP."
    failures = (
        FailureKind("email_bad_url", "The secret is not a mail server's address."),
        FailureKind(
            "email_bad_message", "An address or the subject cannot be written, or the attachments are too large."
        ),
        FailureKind(
            "email_refused",
            "The server refuses the login, the sender, a recipient or the message; for now or for good.",
            True,
        ),
        FailureKind("email_unreachable", "The server cannot be reached, broke off, or cannot encrypt.", True),
        *FILE_FAILURES,
    )

    def ports(self, config: EmailSendConfig) -> Ports:
        return Ports(inputs=(), outputs=(Port("message_id", "string", "The message's id."),))

    def execute(self, call: NodeCall[EmailSendConfig]) -> Mapping[str, Any]:
        config = call.config
        email = Email(
            config.from_,
            config.to,
            as_text(config.subject),
            as_text(config.text),
            config.html,
            config.cc,
            config.bcc,
            config.reply_to,
            [reference_of(file) for file in config.attachments],
        )
        timeout = config.timeout if call.timeout is None else min(config.timeout, call.timeout)
        return {"message_id": call.runtime.send_email(call.runtime.secret(config.server), email, timeout=timeout)}
