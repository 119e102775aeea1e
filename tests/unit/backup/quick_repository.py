"""Makes restic repositories that open in milliseconds: the key file is wrapped again with the cheapest scrypt there is.

restic spends half a second of CPU on deriving the key from the password, on purpose; tests open repositories
hundreds of times. Key file format: restic's design document, "Keys, Encryption and MAC".
"""

from __future__ import annotations

import atexit
import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

NONCE = MAC = 16
TEMPLATE_PASSWORD = "template"


@cache
def template(restic: Path) -> Path:
    """An empty repository, made once for each restic and session."""
    path = Path(tempfile.mkdtemp(prefix="roundsman-test-")) / "repository"
    atexit.register(shutil.rmtree, path.parent)
    secrets = {"RESTIC_REPOSITORY": str(path), "RESTIC_PASSWORD": TEMPLATE_PASSWORD}
    subprocess.run([str(restic), "init"], env={**os.environ, **secrets}, check=True, capture_output=True)
    _rewrap(path, TEMPLATE_PASSWORD, TEMPLATE_PASSWORD)
    return path


def make(restic: Path, path: Path, password: str) -> None:
    """Make an empty repository with an id of its own."""
    shutil.copytree(template(restic), path)
    _rewrap(path, TEMPLATE_PASSWORD, password)
    config = path / "config"
    keys = _master(path, password)
    identified = {**json.loads(_unseal(keys, config.read_bytes())), "id": os.urandom(32).hex()}
    config.chmod(0o600)
    config.write_bytes(_seal(keys, json.dumps(identified).encode()))


def _derive(password: str, key: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """The encryption key and both halves of the MAC key."""
    salt = base64.b64decode(str(key["salt"]))
    numbers = {name.lower(): int(str(key[name])) for name in ("N", "r", "p")}
    raw = hashlib.scrypt(password.encode(), salt=salt, dklen=64, maxmem=1 << 30, **numbers)
    return raw[:32], raw[32:48], raw[48:]


def _crypt(key: bytes, nonce: bytes, text: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor()
    return encryptor.update(text) + encryptor.finalize()


def _mac(keys: tuple[bytes, bytes, bytes], nonce: bytes, ciphertext: bytes) -> bytes:
    _encrypt, k, r = keys
    encryptor = Cipher(algorithms.AES(k), modes.ECB()).encryptor()
    return Poly1305.generate_tag(r + encryptor.update(nonce), ciphertext)


def _seal(keys: tuple[bytes, bytes, bytes], text: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    ciphertext = _crypt(keys[0], nonce, text)
    return nonce + ciphertext + _mac(keys, nonce, ciphertext)


def _unseal(keys: tuple[bytes, bytes, bytes], sealed: bytes) -> bytes:
    nonce, ciphertext = sealed[:NONCE], sealed[NONCE:-MAC]
    assert _mac(keys, nonce, ciphertext) == sealed[-MAC:]
    return _crypt(keys[0], nonce, ciphertext)


def _open(repository: Path, password: str) -> tuple[Path, dict[str, Any], bytes]:
    """The one key file of a local repository, what it says, and the master key in it."""
    (path,) = (repository / "keys").iterdir()
    key = json.loads(path.read_text())
    return path, key, _unseal(_derive(password, key), base64.b64decode(key["data"]))


def _master(repository: Path, password: str) -> tuple[bytes, bytes, bytes]:
    master = json.loads(_open(repository, password)[2])
    encrypt, k, r = (base64.b64decode(one) for one in (master["encrypt"], master["mac"]["k"], master["mac"]["r"]))
    return encrypt, k, r


def _add(repository: Path, password: str, folder: str, records: Iterable[dict[str, Any]]) -> list[Path]:
    """Write records into a folder of the repository, sealed as restic does it."""
    keys = _master(repository, password)
    paths = []
    for record in records:
        sealed = _seal(keys, json.dumps(record).encode())
        paths.append(repository / folder / hashlib.sha256(sealed).hexdigest())
        paths[-1].write_bytes(sealed)
    return paths


def add_snapshots(repository: Path, password: str, snapshots: Iterable[dict[str, Any]]) -> list[str]:
    """Write snapshots that refer to no data, each a dict as restic has it; their ids. Enough for `forget --dry-run`."""
    without_data = ({"tree": "0" * 64, "paths": ["/data"], **snapshot} for snapshot in snapshots)
    return [path.name for path in _add(repository, password, "snapshots", without_data)]


def lock(repository: Path, password: str, record: dict[str, Any]) -> Path:
    """Leave a lock file as restic would, of whatever host, process and time."""
    (path,) = _add(repository, password, "locks", [record])
    return path


def _rewrap(repository: Path, password: str, new_password: str) -> None:
    """Replace the one key file of a local repository; only tests may ever do this."""
    path, key, master = _open(repository, password)
    key.update(N=2, r=1, p=1)
    key["data"] = base64.b64encode(_seal(_derive(new_password, key), master)).decode()
    text = json.dumps(key).encode()
    path.unlink()
    (path.parent / hashlib.sha256(text).hexdigest()).write_bytes(text)
