# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the action plugin of the health module sends to a host: one lean script instead of a module payload."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import re
import shlex
import zipfile
import zlib
from pathlib import Path

from ..module_utils.psutil_copy import platform

TOO_OLD = 43  # exit code of a Python older than 3.8

# Runs on the host: reads the compressed sources, and imports from them what is needed when it is needed.
BOOTSTRAP = """
import json
from _frozen_importlib import ModuleSpec
SOURCES = {"roundsman_lean." + name: stream.read(length) for name, length in json.loads(stream.readline())}
PACKAGES = "roundsman_lean", "roundsman_lean.checks"
class Memory:
    def find_spec(name, path=None, target=None):
        if name in PACKAGES or name in SOURCES:
            return ModuleSpec(name, Memory, origin=name, is_package=name in PACKAGES)
    def create_module(spec):
        return None
    def get_source(name):
        return zlib.decompress(SOURCES[name]).decode()
    def exec_module(module):
        name = module.__name__
        if name in SOURCES:
            exec(compile(zlib.decompress(SOURCES[name]), name, "exec"), module.__dict__)
sys.meta_path.insert(0, Memory)
from roundsman_lean.lean import main
main(stream, size)
"""
# Reads "<bytes of code> <bytes of request>", the code and the request; what is left over is a copy of psutil.
FIRST_STEP = (
    "import sys,zlib\n"
    "if sys.version_info<(3,8): sys.stderr.write(sys.executable+' is '+sys.version[:6]+chr(10)); sys.exit(%d)\n"
    "stream=sys.stdin.buffer\n"
    "code,size=map(int,stream.readline().split())\n"
    "exec(zlib.decompress(stream.read(code)))"
) % TOO_OLD
ALWAYS = ("family", "health", "lean", "psutil_copy", "specs", "thresholds")


def pack_sources(folder):
    """(name -> compressed source, name -> names that it imports) of the modules in a `module_utils` folder."""
    packed, needs = {}, {}
    for file in [*folder.glob("[a-z]*.py"), *(folder / "checks").glob("[a-z]*.py")]:
        name = ".".join(file.relative_to(folder).with_suffix("").parts)
        source = file.read_text(encoding="utf-8")
        packed[name] = zlib.compress(source.encode(), 9)
        base = name.rpartition(".")[0]
        needs[name] = {
            (base + "." if base and dots == "." else "") + imported
            for dots, imported in re.findall(r"^\s*from (\.\.?)([a-z0-9_]+) import", source, re.MULTILINE)
        }
    return packed, needs


def pack_code(types):
    """The code to send for checks of these types: what a sweep always takes, their families, and what those import."""
    wanted, waiting = set(), [*ALWAYS, *("checks." + name for name in types)]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += NEEDS[name]
    first = zlib.compress(BOOTSTRAP.encode(), 9)
    index = json.dumps([(name, len(PACKED[name])) for name in sorted(wanted)]).encode() + b"\n"
    return len(first), first + index + b"".join(PACKED[name] for name in sorted(wanted))


def parcel(parameters, archive=b""):
    """What goes over standard input to the host."""
    first, code = pack_code({check["type"] for check in parameters["checks"]})
    request = json.dumps({"parameters": parameters, "offer": OFFER}).encode()
    return b"%d %d\n" % (first, len(request)) + code + request + archive


def psutil_files():
    """Files of the controller's psutil that run on any Python 3 of its platform: name -> path; empty if none do."""
    found = importlib.util.find_spec("psutil")
    folder = Path(found.origin).parent if found and found.origin else None
    if not folder or not list(folder.glob("*.abi3.so")):
        return {}
    files = [*folder.glob("*.py"), *folder.glob("*.abi3.so")]
    return {"psutil/" + file.name: file for file in sorted(files)}


def pack_psutil():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as copy:
        for name, file in psutil_files().items():
            copy.write(file, name)
    return archive.getvalue()


def offer_psutil():
    """What hosts have to know about our copy to want it, see psutil_copy.load; None when there is none to carry."""
    digest = hashlib.sha256()
    files = psutil_files()
    for name, file in files.items():
        digest.update(name.encode() + file.read_bytes())
    return dict(platform(), hash=digest.hexdigest()[:16]) if files else None


# Made once, when Ansible's main process loads the plugin; its workers inherit them.
PACKED, NEEDS = pack_sources(Path(__file__).parent.parent / "module_utils")
OFFER = offer_psutil()


def script(pythons, environment=""):
    """The shell command that runs what comes over standard input in the first Python that is new enough.

    A Python that is too old ends before it reads, so that the next one finds the input untouched.
    """
    names = " ".join(shlex.quote(python) for python in pythons)
    return (
        '( for p in %s; do command -v "$p" >/dev/null 2>&1 || continue; %s "$p" -I -c %s; r=$?; '
        "case $r in %d|126|127) ;; *) exit $r ;; esac; done; "
        "echo tried %s >&2; exit %d )"
    ) % (names, environment, shlex.quote(FIRST_STEP), TOO_OLD, names, TOO_OLD)
