"""The script that travels: under every Python at hand, with and without psutil, and what makes its way back."""

import json
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.roundsman.fleet.plugins.action import health as action
from ansible_collections.roundsman.fleet.plugins.module_utils import psutil_copy
from ansible_collections.roundsman.fleet.plugins.module_utils.lean import MARKER
from ansible_collections.roundsman.fleet.plugins.module_utils.specs import FAMILIES
from ansible_collections.roundsman.fleet.plugins.plugin_utils import parcel

from tests.pythons import real_python

NEW_ENOUGH = [path for minor in range(8, 15) if (path := real_python(f"3.{minor}"))] or [sys.executable]
TOO_OLD = [path for minor in (6, 7) if (path := real_python(f"3.{minor}"))]
CHECKS = [
    {"type": "cpu", "sample": "50ms"},
    {"type": "load"},
    {"type": "memory"},
    {"type": "filesystem", "path": "/"},
    {"type": "systemd"},
    {"type": "uptime"},
    {"type": "tcp", "port": 1},
    {"type": "http", "url": "https://127.0.0.1:1/"},
    {"type": "processes", "warn": "~:"},
    {"type": "swap"},
]


def send(pythons, checks=None, archive=b"", noise="", **parameters):
    """The reply to what the action plugin sends, run by a shell here; without a host's own psutil unless it has one."""
    given = {"checks": checks or CHECKS, "timeout_s": 60, "psutil": "host", "bookmarks": {}}
    data = parcel.parcel(dict(given, **parameters), archive)
    command = noise + parcel.script([str(python) for python in pythons])
    done = subprocess.run(["/bin/sh", "-c", command], input=data, capture_output=True, timeout=180, check=False)
    return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}


@pytest.mark.parametrize("python", NEW_ENOUGH, ids=str)
def test_the_script_runs_under_every_supported_python(python):
    answer = action.parse(send([python]))
    assert [result["type"] for result in answer["checks"]] == [check["type"] for check in CHECKS]
    broken = [result["message"] for result in answer["checks"] if "the check broke" in result["message"]]
    assert broken == []


# Runs parcels, whose lengths are its arguments, each in a bare process; to fork saves loading the standard library.
EACH_ALONE = f"""
import http.client, importlib, io, os, queue, ssl, subprocess, sys, threading, zipfile, zlib
parcels = [sys.stdin.buffer.read(int(length)) for length in sys.argv[1:]]
for parcel in parcels:
    pid = os.fork()
    if not pid:
        sys.stdin = io.TextIOWrapper(io.BytesIO(parcel))
        exec({parcel.FIRST_STEP!r})
    os.waitpid(pid, 0)
"""


@pytest.mark.parametrize("python", dict.fromkeys((NEW_ENOUGH[0], NEW_ENOUGH[-1])), ids=str)
def test_the_parcel_of_each_family_alone_has_all_that_it_imports(python):
    parcels = [parcel.parcel({"checks": [{"type": name, "?": 1}], "timeout_s": 1}) for name in FAMILIES]
    command = [python, "-I", "-c", EACH_ALONE, *(str(len(one)) for one in parcels)]
    done = subprocess.run(command, input=b"".join(parcels), capture_output=True, timeout=300, check=False)
    answers = done.stdout.decode().split(MARKER)[1:]
    assert done.stderr.decode() == ""
    assert [json.loads(answer)["faults"][0].split(": ")[1] for answer in answers] == ['unknown key "?"'] * len(FAMILIES)


def test_noise_around_the_result_does_no_harm():
    answer = action.parse(send([sys.executable], [{"type": "load"}], noise="printf 'Welcome! {no newline}'; "))
    assert [result["id"] for result in answer["checks"]] == ["load"]


@pytest.mark.skipif(not TOO_OLD, reason="no old Python here")
def test_a_python_that_is_too_old_is_passed_over():
    answer = action.parse(send(["/no/such/python", *TOO_OLD, sys.executable], [{"type": "load"}]))
    assert answer["worst"] in ("OK", "WARNING", "CRITICAL")
    with pytest.raises(AnsibleActionFail, match=r"no Python 3\.8 or newer was found"):
        action.parse(send(TOO_OLD, [{"type": "load"}]))


def test_checks_that_hang_do_not_hold_the_process():
    check = {"type": "tcp", "host": "192.0.2.1", "port": 9, "timeout": "300ms"}
    done = send([sys.executable], [check, {"type": "load"}])
    assert done["rc"] == 0
    assert action.parse(done)["checks"][1]["id"] == "load"


@pytest.mark.parametrize(
    ("stdout", "stderr", "words"),
    [
        ("", "Traceback\nKeyError: x", "exit code 1.*KeyError: x"),
        ("sudo: sorry", "", "sudo: sorry"),
        ("", "", "it said nothing"),
        (action.MARKER + '{"checks": [', "cut off", "cut off"),
    ],
)
def test_garbage_instead_of_a_result_is_a_clear_failure(stdout, stderr, words):
    with pytest.raises(AnsibleActionFail, match="(?s)" + words):
        action.parse({"rc": 1, "stdout": stdout, "stderr": stderr})


def test_a_host_that_hangs_counts_as_unreachable():
    before = subprocess.Popen(["sleep", "600"])
    started = []

    def wait():
        started.append(subprocess.Popen(["sleep", "600"]))
        time.sleep(600)

    with pytest.raises(AnsibleConnectionFailure, match="gave no answer within"), action.patience(0.5):
        wait()
    (waiting,) = started
    assert waiting.wait(60) == -signal.SIGTERM, "what waits for the host is ended with the wait"
    assert before.poll() is None
    before.kill()
    before.wait()
    with action.patience(60):
        assert signal.getitimer(signal.ITIMER_REAL) != (0, 0)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0), "the alarm is off"


# psutil on its way: a Python of its own, so that the tests' psutil is not found.


def carry(home, archive=None, offer=None, python=None):
    """The state and wish of psutil_copy.load in a fresh Python that has no psutil itself."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import psutil_copy as p; import json;"
        "i = json.load(open(sys.argv[2])); a = i['archive'] and open(i['archive'], 'rb').read();"
        "o = p.load('carry', i['offer'], a, i['home']);"
        "print(json.dumps([o.state, o.wanted, o.library is not None and o.library.cpu_count() > 0]))"
    )
    request = home.parent / "request.json"
    packed = home.parent / "psutil.zip"
    if archive:
        packed.write_bytes(archive)
    request.write_text(json.dumps({"offer": offer, "archive": str(packed) if archive else None, "home": str(home)}))
    folder = str(Path(psutil_copy.__file__).parent)
    argv = [str(python or BARE), "-I", "-c", code, folder, str(request)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    state, wanted, works = json.loads(done.stdout)
    return state, wanted, works


def bare():
    """A Python 3.8 or newer without psutil."""
    for python in ["/usr/bin/python3", *NEW_ENOUGH]:
        code = "import importlib.util as u, sys; sys.exit(bool(u.find_spec('psutil')) or sys.version_info < (3, 8))"
        if Path(python).exists() and subprocess.run([python, "-I", "-c", code], check=False).returncode == 0:
            return python
    return None


BARE = bare()
needs_bare = pytest.mark.skipif(BARE is None or not parcel.OFFER, reason="needs a Python without psutil, and a copy")


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "home"
    path.mkdir()
    return path


@needs_bare
def test_a_host_without_psutil_asks_for_it_once_and_keeps_it(home):
    assert carry(home, offer=parcel.OFFER) == ("missing: not carried yet", True, False)
    state, wanted, works = carry(home, parcel.pack_psutil(), parcel.OFFER)
    assert (state.split()[0], wanted, works) == ("carried", False, True)
    assert carry(home, offer=parcel.OFFER) == (state, False, True)
    assert carry(home) == (state, False, True)  # as the plain module finds it
    (copy,) = (home / ".cache/roundsman").iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (copy, copy.parent)] == [0o700, 0o700]


@needs_bare
@pytest.mark.parametrize("python", NEW_ENOUGH, ids=str)
def test_the_copy_works_under_every_supported_python(home, python):
    state, _wanted, works = carry(home, parcel.pack_psutil(), parcel.OFFER, python)
    assert works, state


@needs_bare
def test_a_copy_that_others_could_have_written_is_not_used(home):
    carry(home, parcel.pack_psutil(), parcel.OFFER)
    cache = home / ".cache/roundsman"
    cache.chmod(0o777)
    state, wanted, works = carry(home, offer=parcel.OFFER)
    assert (wanted, works, "others may write" in state) == (False, False, True)


@needs_bare
def test_a_copy_behind_a_symbolic_link_is_not_used(home, tmp_path):
    carry(home, parcel.pack_psutil(), parcel.OFFER)
    cache = home / ".cache/roundsman"
    shutil.move(cache, tmp_path / "elsewhere")
    cache.symlink_to(tmp_path / "elsewhere")
    assert not carry(home, offer=parcel.OFFER)[2]


@needs_bare
@pytest.mark.parametrize(("what", "other"), [("machine", "aarch64"), ("libc", ""), ("system", "FreeBSD")])
def test_a_copy_for_another_platform_is_not_asked_for(home, what, other):
    state, wanted, _works = carry(home, offer=dict(parcel.OFFER, **{what: other}))
    assert (wanted, "does not fit" in state) == (False, True)


@needs_bare
def test_a_copy_that_cannot_be_loaded_is_not_sent_again(home):
    carry(home, parcel.pack_psutil(), parcel.OFFER)
    next((home / ".cache/roundsman").glob("*/psutil/*.so")).write_bytes(b"not a library")
    state, wanted, _works = carry(home, offer=parcel.OFFER)
    assert (wanted, "present but unusable" in state) == (False, True)


@needs_bare
def test_a_damaged_parcel_leaves_nothing_behind(home):
    state, wanted, _works = carry(home, parcel.pack_psutil()[:-100], parcel.OFFER)
    assert (wanted, state.startswith("missing: ")) == (False, True)
    assert list((home / ".cache/roundsman").iterdir()) == []


@needs_bare
def test_without_a_copy_to_offer_nothing_is_asked_for(home):
    assert carry(home)[1:] == (False, False)
