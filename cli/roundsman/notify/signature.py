"""Signatures of webhooks as Standard Webhooks has them, so that receivers verify them with any of its libraries."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
_SHORTEST_KEY = 24  # Standard Webhooks: 24 to 64 bytes
_LONGEST_KEY = 64


def secret_problem(secret: str) -> str | None:
    try:
        key = _key(secret)
    except (binascii.Error, ValueError):
        key = b""
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        return "secret is not 24 to 64 bytes in base64, with or without whsec_ before it: openssl rand -base64 32"
    return None


def signed(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that prove who sent this body, and when."""
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
