from __future__ import annotations

from pathlib import Path

import click

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
    for name in FILES:
        path = directory / name
        if path.exists():
            click.echo(f"kept     {path}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        text = templates.get_template(f"{name}.j2").render(
            hosts=hosts or ("web1.example.org",), directory=directory.resolve(), command=_command()
        )
        path.write_text(text)
        click.echo(f"written  {path}")
    click.echo(f"\nNext: look them over, then\n  cd {directory}\n  roundsman doctor\n  roundsman rounds")
    units = directory.resolve() / "systemd"
    click.echo(
        "\nThe rounds every 15 minutes, and people told in time:\n"
        f"  sudo systemctl link {units}/roundsman-*.service\n  sudo systemctl enable --now {units}/roundsman-*.timer"
    )


def _command() -> str:
    """This very program, as systemd has to call it."""
    import shutil  # noqa: PLC0415
    import sys  # noqa: PLC0415

    return str(Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute())
