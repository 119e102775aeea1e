"""The report's page in a real browser: light, dark and printed, from one file that loads nothing."""

from __future__ import annotations

import re
import subprocess
import zlib
from pathlib import Path

import pytest

from tests.unit.backups.pages import full_page

from .chromium import CHROMIUM, needed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed()
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(full_page(), encoding="utf-8")
    return path


def browse(page: Path, *options: str) -> str:
    command = [
        str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--window-size=1400,1500",
        f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=page.parent).stdout


def first_pixel(png: bytes) -> tuple[int, ...]:
    """Red, green, blue of the upper left corner: no filter of PNG changes the first pixel of the first line."""
    packed = b"".join(
        png[match.end() : match.end() + int.from_bytes(png[match.start() - 4 : match.start()])]
        for match in re.finditer(b"IDAT", png)
    )
    return tuple(zlib.decompress(packed)[1:4])


@pytest.mark.parametrize(("scheme", "paper"), [(1, (255, 255, 255)), (0, (13, 17, 23))])
def test_it_follows_light_and_dark(page: Path, scheme: int, paper: tuple[int, ...]) -> None:
    picture = page.parent / f"scheme-{scheme}.png"
    browse(page, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
    assert first_pixel(picture.read_bytes()) == paper


def test_it_prints_on_white_without_losing_columns(page: Path) -> None:
    printed = page.parent / "report.pdf"
    browse(page, "--blink-settings=preferredColorScheme=0", f"--print-to-pdf={printed}", "--no-pdf-header-footer")
    pdf = printed.read_bytes()
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert 1 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 4
    assert all(float(wide) > float(high) for wide, high in boxes)


def test_the_browser_reads_what_hosts_say_as_text(page: Path) -> None:
    dom = browse(page, "--dump-dom")
    assert "&lt;img src=x onerror=alert(1)&gt;" in dom
    assert "<img" not in dom
