"""The application: who is let in, which endpoint answers, and how refusals look."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from roundsman.serve_config import Serve, is_loopback
from roundsman.store import StoreError

from . import alert_page, alerts_api, silences_api, status_api
from .asking import Asked, Endpoint, Office, RefusedError

# Some ten times what 10,000 alerts need.
LARGEST_BODY_BYTES = 64 * 2**20

_ENDPOINTS: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/api/v2/status", status_api.status),
    ("GET", "/api/v2/receivers", status_api.receivers),
    ("GET", "/api/v2/alerts", alerts_api.get),
    ("POST", "/api/v2/alerts", alerts_api.post),
    ("GET", "/api/v2/alerts/groups", alerts_api.get_groups),
    ("GET", "/api/v2/silences", silences_api.get_all),
    ("POST", "/api/v2/silences", silences_api.post),
    ("GET", "/api/v2/silence/{id}", silences_api.get),
    ("DELETE", "/api/v2/silence/{id}", silences_api.delete),
    ("POST", "/api/v1/alertmanager-webhook", alerts_api.post_notification),
)
# For people. What is posted must prove itself, because a browser sends any form.
_PAGES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/alerts/{id}", alert_page.get),
    ("POST", "/alerts/{id}", alert_page.post),
)
# For load balancers and the like, which have no token; they learn nothing else.
_OPEN: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/-/healthy", status_api.healthy),
    ("GET", "/-/ready", status_api.healthy),
)


def application(office: Office) -> Starlette:
    guard = Guard(office.settings.serve)
    doors = (
        (_ENDPOINTS, guard.let_in, _json),
        (_PAGES, guard.knows, alert_page.refusal),
        (_OPEN, lambda _: None, _json),
    )
    routes = [
        Route(path, _answering(office, endpoint, lets_in, refused), methods=[method])
        for endpoints, lets_in, refused in doors
        for method, path, endpoint in endpoints
    ]
    return Starlette(routes=routes)


class Guard:
    """Lets in who has the token. Without one, who is on this machine, and no page of a browser there."""

    def __init__(self, serve: Serve) -> None:
        self._token = serve.token.get_secret_value().encode() if serve.token else None

    def knows(self, request: Request) -> None:
        """Raises RefusedError."""
        if self._token is not None:
            if not hmac.compare_digest(_token_of(request.headers.get("authorization", "")), self._token):
                raise RefusedError("Authorization: Bearer TOKEN is needed, or Basic with the token as password", 401)
        elif not is_loopback(_name_of(request)):
            # A page on the web could have given its own name this machine's address.
            raise RefusedError("without a token this is only for 127.0.0.1 and localhost", 403)

    def let_in(self, request: Request) -> None:
        """Programs. Raises RefusedError."""
        self.knows(request)
        # A page on the web cannot send this without being asked about it first.
        if request.method == "POST" and request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise RefusedError("Content-Type: application/json is needed", 415)


def _token_of(authorization: str) -> bytes:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return value.strip().encode() if scheme.lower() == "bearer" else b""
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _name_of(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _answering(
    office: Office,
    endpoint: Endpoint,
    let_in: Callable[[Request], None],
    refused: Callable[[str, int], Response],
) -> Callable[[Request], Awaitable[Response]]:
    async def answering(request: Request) -> Response:
        try:
            let_in(request)
            asked = Asked(request.query_params, request.path_params, await _body(request), office.clock())
            answer = await run_in_threadpool(endpoint, office, asked)
            return answer if isinstance(answer, Response) else _json(answer)
        except RefusedError as error:
            return _asking_who(refused(str(error), error.status))
        except StoreError as error:
            return refused(str(error), 503)
        except ClientDisconnect:
            return Response(status_code=400)

    return answering


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise RefusedError(f"the body is larger than {LARGEST_BODY_BYTES // 2**20} MiB", 413)
    return bytes(body)


def _json(document: object, status: int = 200) -> Response:
    # Names from hosts may hold what UTF-8 cannot; escaped, JSON can.
    body = b"" if document is None else json.dumps(document).encode()
    return Response(body, status, media_type="application/json")


def _asking_who(response: Response) -> Response:
    """A browser asks the person for the password then."""
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="roundsman"'
    return response
