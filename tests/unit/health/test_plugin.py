"""Plugins: what is taken over of what they say."""

import re

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    plugin,
)
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import read
from hypothesis import given
from hypothesis import strategies as st

from .builders import keys_of, result_of


@pytest.mark.parametrize(
    ("code", "output", "status", "message", "value", "unit", "perfdata"),
    [
        (0, "OK - fine|time=12ms;100;200;0", "OK", "OK - fine", 0.012, "s", "time=12ms;100;200;0"),
        (1, "W|'free space'=1KB 'it''s'=3", "WARNING", "W", 1024, "B", "'free space'=1KB 'it''s'=3"),
        (2, "BAD\nlong one\nlong two | b=2\nc=3;", "CRITICAL", "BAD; long one long two", 2, "", "b=2 c=3;"),
        (2, "BAD | a=1\nrest | b=2", "CRITICAL", "BAD; rest", 1, "", "a=1 b=2"),
        (0, "x|junk a=U =5 b=1,5 d=7%;@1:2;~:9 e='", "OK", "x", 7, "%", "d=7%;@1:2;~:9"),
        (3, "", "UNKNOWN", "no output (stderr: boom)", None, "", ""),
        (4, "odd", "UNKNOWN", "the plugin ended with 4, which means nothing: odd (stderr: boom)", None, "", ""),
        (-9, "", "UNKNOWN", "the plugin was ended by signal 9 (SIGKILL): no output (stderr: boom)", None, "", ""),
        (139, "", "UNKNOWN", "the plugin was ended by signal 11 (SIGSEGV): no output (stderr: boom)", None, "", ""),
    ],
)
def test_what_a_plugin_says_is_taken_over(code, output, status, message, value, unit, perfdata):
    assert plugin.judge_output(code, output, "boom\n") == (status, message, value, unit, perfdata)


ITEM = re.compile(r"('[^=]+'|[^\s'=]+)=[-+\d.eE]+[A-Za-zµ%/]*(;[-+~@:\d.eE]*){0,4};?")


@given(st.text(alphabet="ab'=;:~@%|.,0123456789 -eEUs\n\té", max_size=60))
def test_performance_data_that_is_not_valid_is_left_out(text):
    for item in plugin.performance(text):
        assert ITEM.fullmatch(item.group().strip())


def test_long_output_is_shortened():
    message = plugin.judge_output(0, "OK\n" + "word\n" * 1000, "")[1]
    assert message.startswith("OK; word word")
    assert (len(message) < 320, message[-1]) == (True, "…")


def test_a_plugin_is_run_without_a_shell_and_its_secrets_come_by_environment(tmp_path):
    script = tmp_path / "check_it"
    script.write_text('#!/bin/sh\necho "$1 has $TOKEN"; printf "\\377\\n"; exit 1\n')
    script.chmod(0o755)
    check = {"type": "plugin", "command": f"{script} '$(id); it'", "environment": {"TOKEN": "s3cret"}}
    result = result_of(check)
    assert (result["status"], result["message"]) == ("WARNING", "$(id); it has s3cret; \N{REPLACEMENT CHARACTER}")
    assert (result["id"], result["target"]) == ("plugin-check_it", "check_it")
    script.chmod(0o644)
    assert result_of(check)["message"] == f"the plugin {script} may not be run"
    assert result_of({"type": "plugin", "command": "check_nothing"})["message"] == (
        "the plugin check_nothing is not on the host"
    )
    listed = [str(script), "-w", 5, ""]
    assert keys_of({"type": "plugin", "command": listed})["command"] == [str(script), "-w", "5", ""]


@pytest.mark.parametrize("command", ["", [], "check 'it", {"a": 1}, ["check", True]])
def test_a_command_that_is_none_is_refused(command):
    assert read([{"type": "plugin", "command": command}], 10)[1]
