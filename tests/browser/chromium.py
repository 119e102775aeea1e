"""Debian's Chromium, driven through a pipe with the words of its DevTools protocol: no driver, no library."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.alertmanager import wait_for

CHROMIUM = shutil.which("chromium")
MISSING = "no chromium on this machine: the page was not looked at; on Debian: apt-get install chromium"


def needed() -> None:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)


class Browser:
    """One tab as wide as a phone."""

    def __init__(self, to: BinaryIO, of: BinaryIO) -> None:
        self._to, self._of = to, of
        self._number = 0
        self._session: str | None = None
        target = self.say("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.say("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.say("Page.enable")
        self.say("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)

    def say(self, method: str, *, then: str = "", **params: Any) -> dict[str, Any]:
        """The answer; with `then`, after that event, which may come before it."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        answer: dict[str, Any] | None = None
        while answer is None or then:
            heard = json.loads(self._read())
            if heard.get("id") == self._number:
                assert "error" not in heard, heard["error"]
                answer = heard["result"]
            if heard.get("method") == then:
                then = ""
        return answer

    def _read(self) -> bytes:
        read = b""
        while not read.endswith(b"\0"):
            byte = self._of.read(1)
            assert byte, "chromium has ended"
            read += byte
        return read[:-1]

    def open(self, url: str) -> None:
        self.say("Page.navigate", url=url, then="Page.loadEventFired")
        # The event may have been that of the empty page before.
        wait_for(lambda: self.ask("document.readyState + location.href") == f"complete{url}")

    def ask(self, script: str) -> Any:
        """What the script's expression is worth on the page, or what it promises."""
        answer = self.say("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self) -> str:
        said: str = self.ask("document.body.innerText")
        return said

    def type(self, field: str, text: str) -> None:
        self.ask(f"document.querySelector({json.dumps(field)}).focus()")
        self.say("Input.insertText", text=text)

    def press(self, button: str, *, then: str = "Page.loadEventFired") -> None:
        """As a finger does: where the button is, if nothing lies over it."""
        # Before a page was painted, Chromium takes no finger for meant.
        self.ask("new Promise(painted => requestAnimationFrame(() => requestAnimationFrame(painted)))")
        script = f"""(() => {{
            const button = document.querySelector({json.dumps(button)});
            button.scrollIntoView({{block: "center"}});
            const at = button.getBoundingClientRect();
            return {{x: at.x + at.width / 2, y: at.y + at.height / 2}};
        }})()"""
        where = {**self.ask(script), "button": "left", "clickCount": 1}
        self.say("Input.dispatchMouseEvent", type="mousePressed", **where)
        self.say("Input.dispatchMouseEvent", type="mouseReleased", then=then, **where)

    def picture(self, path: Path) -> None:
        """The whole page."""
        shot = self.say("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    # It reads descriptor 3 and writes 4.
    command = (
        f'exec "$0" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe '
        f'--user-data-dir="$1" 3<&{their_in} 4>&{their_out}'
    )
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-c", command, str(CHROMIUM), folder / "profile"], pass_fds=(their_in, their_out),
            stdout=log, stderr=log,
        )  # fmt: skip
    os.close(their_in)
    os.close(their_out)
    try:
        with os.fdopen(our_out, "wb") as to, os.fdopen(our_in, "rb") as of:
            yield Browser(to, of)
    finally:
        process.kill()
        process.wait()
