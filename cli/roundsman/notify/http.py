"""One HTTP request, and what its answer means for a delivery."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from roundsman.notify.channel import Outcome
from roundsman.notify.deadline import within
from roundsman.notify.quiet import quiet
from roundsman.notify.redact import redact

SCHEMES = ("http", "https")
# Also what a person mends in the course of a day: credentials, permissions, a path that is not there yet.
_TEMPORARY = frozenset({401, 403, 404, 408, 425, 429})
_LONGEST_BODY = 1_000_000


@dataclass(frozen=True)
class Request:
    """`secrets` never appear in what is said about it: URLs, header values, keys."""

    method: str
    url: str
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    timeout_s: float = 10.0
    secrets: Collection[str] = ()
    # Whether the words of a refusal are kept: of a program that is known, not of one that may echo the request.
    quotes: bool = False


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    body: bytes = b""  # of a GET


def encode(document: object) -> bytes:
    """ASCII, because names of files on hosts may hold what is no character and what UTF-8 cannot hold."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def url_problem(url: str) -> str | None:
    """What is wrong with an address, without its secrets."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):  # the error's words may hold parts of the password
        return "not a usable URL; percent-encode special characters in user and password"
    if parsed.scheme not in SCHEMES or not parsed.host:
        return "not a usable http:// or https:// URL: it names no host"
    return None


def ask(request: Request) -> Answer:
    """Make the request once. Redirects are not followed: they would carry the headers' secrets elsewhere."""
    quiet("httpx", "httpcore")
    try:
        return within(request.timeout_s, lambda: _talk(request))
    except (TimeoutError, httpx.TimeoutException):
        return Answer(Outcome(ok=False, detail=f"no answer within {request.timeout_s:g} s"))
    except (httpx.HTTPError, UnicodeError) as error:
        return Answer(Outcome(ok=False, detail=redact(f"{type(error).__name__}: {error}", request.secrets)))


def _trust() -> ssl.SSLContext:
    """Whose certificates are taken. Reading them takes longer than most requests, so that is done once."""
    return _trust_by(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _trust_by(_file: str | None, _directory: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _talk(request: Request) -> Answer:
    headers = dict(request.headers or {})
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    with (
        httpx.Client(timeout=request.timeout_s, follow_redirects=False, verify=_trust()) as client,
        client.stream(request.method, request.url, content=request.body, headers=headers) as response,
    ):
        said = redact(_text(response), request.secrets) if request.quotes and not response.is_success else ""
        outcome = _judge(response, said)
        return Answer(outcome, _body(response) if request.method == "GET" and outcome.ok else b"")


def _judge(response: httpx.Response, said: str) -> Outcome:
    status = response.status_code
    detail = f"HTTP {status} {httpx.codes.get_reason_phrase(status)}".strip()
    if response.is_success:
        return Outcome(ok=True, detail=detail)
    if response.is_redirect:
        detail += ": redirects are not followed; put the final address into roundsman.yml"
    elif said:
        detail += f": {said}"
    permanent = status < 500 and status not in _TEMPORARY
    return Outcome(ok=False, permanent=permanent, detail=detail, retry_after_s=_retry_after(response.headers))


def _text(response: httpx.Response) -> str:
    return _body(response).decode("utf-8", "replace")


def _body(response: httpx.Response) -> bytes:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _LONGEST_BODY:
            break
    return body


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds: a number, or a date, which is measured against the reply's own Date."""
    asked = headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        wait = parsedate_to_datetime(asked) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(wait.total_seconds(), 0.0)
