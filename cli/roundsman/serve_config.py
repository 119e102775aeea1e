"""Where `roundsman serve` listens, and who may ask it."""

from __future__ import annotations

import ipaddress

from pydantic import Field, model_validator

from .config_base import Secret, Section

LISTEN = r"^(\[[0-9a-fA-F:.]+\]|[^\s\[\]:]+):\d{1,5}$"


class Serve(Section):
    listen: str = Field(default="127.0.0.1:9093", pattern=LISTEN)
    token: Secret | None = None

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @model_validator(mode="after")
    def _open_to_others_only_with_a_token(self) -> Serve:
        host, port = self.address
        if port > 65535:
            raise ValueError(f"listen: there is no port {port}")
        if self.token is not None and len(self.token.get_secret_value()) < 16:
            raise ValueError("token: has less than 16 characters; make one with `openssl rand -hex 32`")
        if self.token is None and not is_loopback(host):
            raise ValueError(
                f"listen: {host} can be reached from elsewhere, and whoever reaches it can silence alerts: "
                "set serve.token, or listen on 127.0.0.1"
            )
        return self


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
