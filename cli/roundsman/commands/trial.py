"""`alerts test`: does a receiver work?"""

from __future__ import annotations

import getpass
import sys
from dataclasses import asdict

import click

from ..exits import ExitCode
from .common import Failure, config_option, json_option, load_settings, print_json


@click.command("test")
@click.argument("receiver")
@click.option("--resolved", is_flag=True, help="Send the end of the test, to where it opened an incident or an alert.")
@click.option("--by", default=getpass.getuser, metavar="NAME", help="Who.  [default: you]")
@json_option
@config_option
def test(receiver: str, resolved: bool, by: str, as_json: bool, config: str | None) -> None:
    """Send a marked test through every target of RECEIVER, or of a person, and say what came of each."""
    from .. import times  # noqa: PLC0415
    from ..trying import try_receiver  # noqa: PLC0415

    settings = load_settings(config)
    try:
        outcomes = try_receiver(settings.alerts, receiver, by, times.now(), resolved=resolved)
    except LookupError as error:
        raise Failure(f"there is nobody called {receiver!r} (there are: {error})", ExitCode.USAGE) from None
    if not outcomes:
        raise Failure(f"receiver {receiver!r} has no target; nothing was sent", ExitCode.USAGE)
    taken = sum(outcome.ok for outcome in outcomes.values())
    if as_json:
        print_json([{"target": target, **asdict(outcome)} for target, outcome in outcomes.items()])
    else:
        width = max(map(len, outcomes))
        for target, outcome in outcomes.items():
            click.echo(f"{target:{width}}  {'delivered' if outcome.ok else 'FAILED'}: {outcome.detail}")
        click.echo(f"{taken} of {len(outcomes)} targets took the test{'' if resolved else _ending(receiver)}")
    sys.exit(ExitCode.FINE if taken == len(outcomes) else ExitCode.CRITICAL)


def _ending(receiver: str) -> str:
    return f"; `roundsman alerts test {receiver} --resolved` ends it where it opened something"
