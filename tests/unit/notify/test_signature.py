"""Signed webhooks, verified by Standard Webhooks' own library and by the code in the documentation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from roundsman.notify.channel import Target
from roundsman.notify.signature import signed
from roundsman.notify.webhook import Webhook

from .cast import message
from .servers import http_server

DOCUMENTATION = (Path(__file__).parents[3] / "docs/alerts.md").read_text("utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def received(secret: str | None) -> tuple[dict[str, str], bytes]:
    """Headers and body as they come over a real connection."""
    with http_server() as server:
        assert Webhook(Target(f"http://127.0.0.1:{server.port}/", secret=secret)).send(message()).ok
        ((headers, _),) = server.received
        return headers, server.bodies[0]


def documented() -> Callable[..., None]:
    code: dict[str, Any] = {}
    exec(DOCUMENTATION.partition("```python\n")[2].partition("```")[0], code)
    verify: Callable[..., None] = code["verify"]
    return verify


def test_their_library_and_the_documented_code_verify_what_is_sent() -> None:
    headers, body = received(SECRET)
    Verifier(SECRET).verify(body, {key.lower(): value for key, value in headers.items()})
    documented()(SECRET, headers, body)
    assert headers["webhook-id"] == headers["Idempotency-Key"] == message().key


@pytest.mark.parametrize("change", ["body", "id", "secret"])
def test_what_was_changed_is_not_taken(change: str) -> None:
    headers, body = received(SECRET)
    headers |= {"webhook-id": "another"} if change == "id" else {}
    body += b" " if change == "body" else b""
    secret = SECRET.replace("MfKQ", "MfKR") if change == "secret" else SECRET
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, headers)
    with pytest.raises(ValueError, match="not from Roundsman"):
        documented()(secret, headers, body)


# Five minutes are allowed. What is ahead comes nearer until it is looked at.
@pytest.mark.parametrize("away_s", [-301, 400])
def test_a_replay_is_not_taken(away_s: int) -> None:
    headers = signed(SECRET, "id", int(time.time()) + away_s, BODY)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(BODY, headers)
    with pytest.raises(ValueError, match="too old, or from the future"):
        documented()(SECRET, headers, BODY)


def test_the_documented_sample() -> None:
    sample = signed(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)["webhook-signature"]
    assert re.search(rf"give `{re.escape(sample)}`", DOCUMENTATION)


def test_without_a_secret_nothing_is_signed() -> None:
    headers, _ = received(None)
    assert not [key for key in headers if key.lower().startswith("webhook-")]


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "geheim", "not base64 at all, but long enough to be one", "AAAA" * 22]
)
def test_a_secret_that_is_none_is_found_before(secret: str) -> None:
    channel = Webhook(Target("http://127.0.0.1:9/", secret=secret))
    assert str(channel.problem()).startswith("secret is not 24 to 64 bytes in base64")
    assert channel.send(message()).permanent
