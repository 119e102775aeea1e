from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..exits import ExitCode
from .common import Failure

if TYPE_CHECKING:
    from jinja2 import Environment

FILES = (
    "roundsman.yml",
    "inventory/hosts.yml",
    "inventory/group_vars/all.yml",
    "systemd/roundsman-rounds.service",
    "systemd/roundsman-rounds.timer",
    "systemd/roundsman-tick.service",
    "systemd/roundsman-tick.timer",
)


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A host of the fleet; may be given repeatedly.")
def init(directory: Path, hosts: tuple[str, ...]) -> None:
    """Write a configuration and an inventory to begin with into DIRECTORY. Nothing that exists is touched."""
    from jinja2 import Environment, PackageLoader  # noqa: PLC0415

    templates = Environment(
        loader=PackageLoader("roundsman", "templates/init"),
        trim_blocks=True,
        keep_trailing_newline=True,
        # The files are full of Ansible's own {{ }}.
        variable_start_string="<<", variable_end_string=">>", block_start_string="<%", block_end_string="%>",
        autoescape=False,  # noqa: S701 - YAML
    )  # fmt: skip
    templates.filters.update(key=_key, word=_word)
    try:
        _write(directory, templates, hosts or ("web1.example.org",))
    except OSError as error:
        raise Failure(f"{error.filename or directory}: {error.strerror or error}", ExitCode.USAGE) from None
    click.echo(
        f"\nNext: look them over, then\n  cd {shlex.quote(str(directory))}\n  roundsman doctor\n  roundsman rounds"
    )
    units = shlex.quote(str(directory.resolve() / "systemd"))
    click.echo(
        "\nThe rounds every 15 minutes, and people told in time:\n"
        f"  sudo systemctl link {units}/roundsman-*.service\n  sudo systemctl enable --now {units}/roundsman-*.timer"
    )


def _write(directory: Path, templates: Environment, hosts: Sequence[str]) -> None:
    for name in FILES:
        path = directory / name
        if path.exists():
            click.echo(f"kept     {path}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        text = templates.get_template(f"{name}.j2").render(
            hosts=hosts, config=str(directory.resolve() / "roundsman.yml"), command=_command()
        )
        path.write_text(text)
        click.echo(f"written  {path}")


def _key(host: str) -> str:
    """A key of YAML that is this text, which `yes`, `10.0` and `::1` are not by themselves."""
    import yaml  # noqa: PLC0415

    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", host) and yaml.safe_load(host) == host
    return host if plain else json.dumps(host)


def _word(text: str) -> str:
    """One word of a command line of systemd's, see systemd.service(5)."""
    if not re.search(r"[^A-Za-z0-9_./@+:-]", text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text).replace("%", "%%").replace("$", "$$") + '"'


def _command() -> str:
    """This very program, as systemd has to call it."""
    import shutil  # noqa: PLC0415
    import sys  # noqa: PLC0415

    return str(Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute())
