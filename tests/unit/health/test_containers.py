"""Containers as real engines list them."""

import json
from pathlib import Path

import pytest
from ansible_collections.roundsman.fleet.plugins.module_utils.checks import (
    containers,
)

OUTPUTS = Path(__file__).parent / "outputs"


def test_the_lists_of_real_engines_are_read():
    faults = containers.faults_of(containers.parse((OUTPUTS / "podman-4.3.json").read_text()), SPEC)
    assert faults == {"bad": "exited with 1", "loop": "exited with 1", "hc": "is unhealthy"}


SPEC = {"running": [], "ignore": []}
DOCKER = [
    {"ID": "1", "Names": "web", "State": "running", "Status": "Up 2 hours (healthy)"},
    {"ID": "2", "Names": "sick", "State": "running", "Status": "Up 2 hours (unhealthy)"},
    {"ID": "3", "Names": "loop", "State": "restarting", "Status": "Restarting (1) 5 seconds ago"},
    {"ID": "4", "Names": "old", "Status": "Exited (137) 3 days ago"},
    {"ID": "5", "Names": "stopped", "State": "exited", "Status": "Exited (143) 3 days ago"},
    {"ID": "6", "Names": "done", "State": "exited", "Status": "Exited (0) 3 days ago"},
    {"ID": "7", "Names": "new", "State": "created", "Status": "Created"},
]


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ({}, {"sick": "is unhealthy", "loop": "is restarting", "old": "exited with 137"}),
        ({"ignore": ["o*", "loop"]}, {"sick": "is unhealthy"}),
        (
            {"ignore": ["*"], "running": ["web", "done", "sick", "lost"]},
            {"done": "is exited", "lost": "does not exist"},
        ),
    ],
)
def test_containers_that_fail_and_those_that_have_to_run(keys, faults):
    listing = "\n".join(json.dumps(item) for item in DOCKER)
    assert containers.faults_of(containers.parse(listing), dict(SPEC, **keys)) == faults


def test_an_older_podman_has_numbers_for_states():
    old = json.dumps([{"ID": "1", "Names": "web", "State": 2, "Status": "Up 2 minutes ago", "ExitCode": 0}])
    assert [(one.name, one.state) for one in containers.parse(old)] == [("web", "running")]


@pytest.mark.parametrize("text", ["Welcome to docker\n", '["web"]', "[{", '{"Names": "a", "ExitCode": "x"}'])
def test_a_list_that_is_none_cannot_be_looked_at(text):
    with pytest.raises(containers.CannotLookError):
        containers.parse(text)
