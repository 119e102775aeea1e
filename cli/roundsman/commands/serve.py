from __future__ import annotations

import sys

import click

from ..exits import ExitCode
from .common import Failure, config_option, opened


@click.command()
@config_option
def serve(config: str | None) -> None:
    """Take alerts as an Alertmanager does, and do what is due: `roundsman tick` in one process that stays.

    Prometheus, Grafana and amtool can use it in place of an Alertmanager, at the address in `serve.listen`.
    """
    from ..web.server import Server, address_of, listen  # noqa: PLC0415

    with opened(config, delivers=True) as session:
        host, port = session.settings.serve.address
        try:
            listening = listen(host, port)
        except OSError as error:
            wrong = error.strerror or str(error)
            raise Failure(f"cannot listen on {session.settings.serve.listen}: {wrong}", ExitCode.USAGE) from None
        with listening:
            click.echo(f"listening on {address_of(listening)}")
            sys.stdout.flush()
            server = Server(session, listening)
            server.run()
    if server.failed:
        raise Failure("a fault in Roundsman itself, see above; nothing recorded is lost", ExitCode.RUN_FAILED)
