"""A signed GitHub push starts a run, once."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from pathlib import Path

import httpx
import pytest

from tests.e2e.installation import Installation

pytestmark = pytest.mark.xdist_group("installation")

EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = "a secret of the test"
PUSH = (EXAMPLES / "github-push.json").read_bytes()


@pytest.fixture(scope="module")
def hook(installation: Installation) -> str:
    """The address of the example's webhook."""
    installation.succeed("secret", "set", "gh_webhook", stdin=SECRET)
    [applied] = json.loads(installation.succeed("apply", "--json", str(EXAMPLES / "push-digest.yaml")))
    [trigger] = [trigger for trigger in applied["graph"]["triggers"] if trigger["type"] == "webhook"]
    return str(trigger["url"])


def deliver(hook: str, delivery: str, *, secret: str = SECRET) -> httpx.Response:
    signature = hmac.new(secret.encode(), PUSH, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return httpx.post(hook, content=PUSH, headers=headers, timeout=30)


def test_signed_push_becomes_a_run_with_outputs(installation: Installation, hook: str) -> None:
    answer = deliver(hook, str(uuid.uuid4()))
    assert answer.status_code == 202
    run_id = answer.json()["run_id"]
    installation.succeed("logs", "--follow", run_id)
    run = installation.get(f"runs/{run_id}")
    assert (run["status"], run["trigger"]) == ("SUCCESS", {"kind": "webhook", "id": "on-push"})
    assert run["params"]["repository"] == "Codertocat/Hello-World"
    outputs = installation.get(f"runs/{run_id}/outputs")["outputs"]
    commit = json.loads(PUSH)["commits"][0]
    assert outputs == {
        "repository": "Codertocat/Hello-World",
        "big_commits": [{"id": commit["id"], "size": len(commit["message"])}],
    }


def test_repeated_delivery_is_answered_with_the_first_run(hook: str) -> None:
    delivery = str(uuid.uuid4())
    first, second = deliver(hook, delivery).json(), deliver(hook, delivery).json()
    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert first["run_id"] == second["run_id"]


def test_wrong_signature_starts_nothing(installation: Installation, hook: str) -> None:
    before = run_ids(installation)
    answer = deliver(hook, str(uuid.uuid4()), secret="a guess")
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    assert run_ids(installation) == before


def run_ids(installation: Installation) -> list[str]:
    return [run["run_id"] for run in installation.get("runs?graph=push-digest&limit=100")["items"]]
