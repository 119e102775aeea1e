"""Every check of resources, as it travels to a host, under the oldest and the newest Python at hand."""

import pytest
from ansible_collections.roundsman.fleet.plugins.action import health as action
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import FAMILIES, family_of

from .test_lean import NEW_ENOUGH, send

CHECKS = [{"type": name} for name in FAMILIES if family_of(name).area == "resources"]


@pytest.mark.parametrize("python", dict.fromkeys((NEW_ENOUGH[0], NEW_ENOUGH[-1])), ids=str)
def test_the_checks_of_resources_run_under_every_supported_python(python):
    answer = action.parse(send([python], CHECKS))
    assert [result["type"] for result in answer["checks"]] == [check["type"] for check in CHECKS]
    assert [result["message"] for result in answer["checks"] if "the check broke" in result["message"]] == []
