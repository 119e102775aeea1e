"""Makes a restic repository open in milliseconds: its key file is wrapped again with the cheapest scrypt there is.

restic spends half a second of CPU on deriving the key from the password, on purpose; tests open repositories
hundreds of times. Key file format: restic's design document, "Keys, Encryption and MAC".
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

NONCE = MAC = 16


def _derive(password: str, key: dict[str, object]) -> tuple[bytes, bytes, bytes]:
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


def _unseal(keys: tuple[bytes, bytes, bytes], sealed: bytes) -> bytes:
    nonce, ciphertext = sealed[:NONCE], sealed[NONCE:-MAC]
    assert _mac(keys, nonce, ciphertext) == sealed[-MAC:]
    return _crypt(keys[0], nonce, ciphertext)


def _seal(keys: tuple[bytes, bytes, bytes], text: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    ciphertext = _crypt(keys[0], nonce, text)
    return nonce + ciphertext + _mac(keys, nonce, ciphertext)


def _key_file(repository: Path) -> tuple[Path, dict[str, object]]:
    (path,) = (repository / "keys").iterdir()
    return path, json.loads(path.read_text())


def weaken(repository: Path, password: str) -> None:
    """Replace the one key file of a local repository; only tests may ever do this."""
    path, key = _key_file(repository)
    master = _unseal(_derive(password, key), base64.b64decode(str(key["data"])))
    key.update(N=2, r=1, p=1)
    key["data"] = base64.b64encode(_seal(_derive(password, key), master)).decode()
    text = json.dumps(key).encode()
    path.unlink()
    (path.parent / hashlib.sha256(text).hexdigest()).write_bytes(text)


def lock(repository: Path, password: str, record: dict[str, object]) -> Path:
    """Leave a lock file as restic would, of whatever host, process and time."""
    _path, key = _key_file(repository)
    master = json.loads(_unseal(_derive(password, key), base64.b64decode(str(key["data"]))))
    encoded = (master["encrypt"], master["mac"]["k"], master["mac"]["r"])
    encrypt, k, r = (base64.b64decode(part) for part in encoded)
    text = _seal((encrypt, k, r), json.dumps(record).encode())
    path = repository / "locks" / hashlib.sha256(text).hexdigest()
    path.write_bytes(text)
    return path
