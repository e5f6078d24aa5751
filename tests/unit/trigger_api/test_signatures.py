"""Every scheme takes what its sender signs and nothing else: no other body, secret, time or form."""

from __future__ import annotations

import hashlib
import hmac
import string
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from graph_compiler.language.webhook_verify import VerifySpec
from tests.webhook_signing import SCHEMES, SIGN_BODY, SIGN_TIME, Headers, secret_for, signed
from trigger_api.webhooks.call import Call
from trigger_api.webhooks.signatures import defect

NOW = 1_700_000_000
SPEC: TypeAdapter[Any] = TypeAdapter(VerifySpec)
BODY = '{"wheel": "Müller"}'.encode()

schemes = pytest.mark.parametrize("scheme", SCHEMES)


def spec(scheme: str, **more: Any) -> Any:
    return SPEC.validate_python(SCHEMES[scheme][0] | {"secret": "s"} | more)


def call(headers: Headers, body: bytes = BODY) -> Call:
    lower = {name.lower(): value for name, value in headers.items()}
    return Call("POST", "/hook/x", "", {}, lower, None, body)


def holds(scheme: str, headers: Headers, body: bytes = BODY, *, secret: str = "a secret", now: float = NOW) -> bool:
    return defect(spec(scheme), [secret_for(scheme, secret)], call(headers, body), now) is None


@schemes
def test_what_the_sender_signs_holds(scheme: str) -> None:
    assert holds(scheme, signed(scheme, secret_for(scheme), BODY, now=NOW))


@schemes
def test_another_secret_does_not_hold(scheme: str) -> None:
    headers = signed(scheme, secret_for(scheme), BODY, now=NOW)
    assert not holds(scheme, headers, secret="another")
    assert not holds(scheme, headers, secret="a secre")


@schemes
def test_while_rotating_both_secrets_hold_and_no_third(scheme: str) -> None:
    live = [secret_for(scheme, name) for name in ("new", "old")]
    verify = spec(scheme, previous_secret="old")
    results = [
        defect(verify, live, call(signed(scheme, secret_for(scheme, name), BODY, now=NOW)), NOW) is None
        for name in ("new", "old", "older")
    ]
    assert results == [True, True, False]


@schemes
def test_without_a_secret_nothing_holds(scheme: str) -> None:
    for secrets in ([], [""]):
        headers = signed(scheme, "" if scheme != "standard_webhooks" else "whsec_", BODY, now=NOW)
        assert defect(spec(scheme), secrets, call(headers), NOW) == "The webhook's secret is not set."


@schemes
def test_missing_cut_longer_and_changed_proofs_do_not_hold(scheme: str) -> None:
    right = signed(scheme, secret_for(scheme), BODY, now=NOW)
    for name, value in right.items():
        if name == "X-GitHub-Delivery":
            continue  # not part of the proof
        wrong = ["", " ", value[:-1], value + "0", value[1:], value[::-1], "\xff" * 20, "," * 9, "=", "v1,", "t=,v1="]
        if name not in ("X-Sign", "X-Slack-Request-Timestamp", "X-Sent", "Webhook-Timestamp"):
            wrong.append(value.swapcase())
        for offered in {text for text in wrong if text != value}:
            assert not holds(scheme, right | {name: offered}), (name, offered)
        assert not holds(scheme, {other: right[other] for other in right if other != name}), name


@pytest.mark.parametrize("scheme", sorted(SIGN_BODY))
@given(body=st.binary(max_size=200), data=st.data())
def test_any_body_holds_and_no_other_one(scheme: str, body: bytes, data: st.DataObject) -> None:
    if scheme == "standard_webhooks":
        body = body.decode("utf-8", "replace").encode()
    headers = signed(scheme, secret_for(scheme), body, now=NOW)
    assert holds(scheme, headers, body)
    other = data.draw(st.one_of(st.binary(max_size=200), _one_byte_differs(body)))
    assume(other != body)
    assert not holds(scheme, headers, other)


def _one_byte_differs(body: bytes) -> st.SearchStrategy[bytes]:
    if not body:
        return st.just(b"x")

    def flipped(at: int, bit: int) -> bytes:
        return body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]

    return st.builds(flipped, st.integers(0, len(body) - 1), st.integers(0, 7))


@pytest.mark.parametrize("scheme", sorted(SIGN_TIME))
@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_signed_time_holds_within_its_tolerance(scheme: str, seconds: int, expected: bool) -> None:
    headers = signed(scheme, secret_for(scheme), BODY, now=NOW + seconds)
    assert holds(scheme, headers) is expected


@pytest.mark.parametrize("scheme", sorted(SIGN_TIME))
def test_a_recorded_call_sent_again_later_does_not_hold(scheme: str) -> None:
    headers = signed(scheme, secret_for(scheme), BODY, now=NOW)
    said = defect(spec(scheme), [secret_for(scheme)], call(headers), NOW + 3600)
    assert said == "The signed time is too far from now: too old, or a wrong clock."
    assert defect(spec(scheme, tolerance="2h"), [secret_for(scheme)], call(headers), NOW + 3600) is None


@schemes
@given(text=st.text(st.characters(codec="latin-1"), max_size=60))
def test_no_header_makes_a_check_fail_otherwise_than_by_refusing(scheme: str, text: str) -> None:
    right = signed(scheme, secret_for(scheme), BODY, now=NOW)
    for name in right:
        defect(spec(scheme), [secret_for(scheme)], call(right | {name: text}), NOW)


def test_a_time_in_milliseconds_is_understood() -> None:
    body = b"x"
    verify = SPEC.validate_python(
        {"scheme": "hmac", "secret": "s", "header": "h", "signed": "{timestamp}{body}", "timestamp_header": "t"}
    )
    time = str(NOW * 1000)
    signature = hmac.new(b"s", time.encode() + body, hashlib.sha256).hexdigest()
    assert defect(verify, ["s"], call({"h": signature, "t": time}, body), NOW) is None


def test_a_standard_secret_that_is_not_base64_signs_nothing() -> None:
    headers = signed("standard_webhooks", secret_for("standard_webhooks"), BODY, now=NOW)
    assert defect(spec("standard_webhooks"), ["whsec_???"], call(headers), NOW) is not None


def test_none_takes_everybody() -> None:
    assert defect(SPEC.validate_python({"scheme": "none"}), [], call({}), NOW) is None


@given(st.text(string.printable, max_size=80))
def test_a_stripe_signature_needs_one_time(text: str) -> None:
    right = signed("stripe", "a secret", BODY, now=NOW)["Stripe-Signature"]
    assert not holds("stripe", {"Stripe-Signature": f"{right},t={text}"})
