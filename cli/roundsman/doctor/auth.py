"""The authentication rung: the keys, agent and password that ssh would offer, in its order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.pkey import PublicBlob, UnknownKeyType

from .model import Fell, Finding, HostTarget, Status
from .route import Route

RUNG = "authentication"


@dataclass(frozen=True)
class Identity:
    label: str
    key: paramiko.PKey


@dataclass
class Attempts:
    """What was tried and what could not be, for the message when nothing worked."""

    tried: list[str]
    notes: list[str]


def authenticate(transport: paramiko.Transport, target: HostTarget, route: Route) -> Finding:
    """Raises Fell with every key that was tried; a password that is not known here makes that a warning."""
    attempts = Attempts([], [])
    allowed: list[str] = []
    try:
        allowed = _allowed_methods(transport, route.user)
        if not allowed:
            return Finding(RUNG, Status.OK, f"as {route.user}, without any credential")
        label = _by_key(transport, route, allowed, attempts)
        label = label or _by_password(transport, target, route, allowed, attempts)
        if label:
            return Finding(RUNG, Status.OK, f"as {route.user} with {label}")
    except (paramiko.SSHException, OSError, EOFError) as error:
        attempts.notes.append(f"the host ended it: {str(error) or type(error).__name__}")
    raise _refused(target, route, allowed, attempts)


def _allowed_methods(transport: paramiko.Transport, user: str) -> list[str]:
    """What the host accepts from this user; empty when it wants nothing at all."""
    try:
        transport.auth_none(user)
    except paramiko.BadAuthenticationType as refusal:
        return list(refusal.allowed_types)
    return []


def _by_key(transport: paramiko.Transport, route: Route, allowed: list[str], attempts: Attempts) -> str | None:
    if "publickey" not in allowed:
        return None
    for identity in identities(route, attempts.notes):
        attempts.tried.append(identity.label)
        try:
            further = transport.auth_publickey(route.user, identity.key)
        except paramiko.AuthenticationException:
            if not transport.is_active():
                attempts.notes.append("the host hung up (too many keys? IdentitiesOnly=yes offers only the right one)")
                return None
            continue
        if not further:
            return identity.label
        attempts.notes.append(f"{identity.label} was accepted, but the host wants {' or '.join(further)} as well")
    return None


def _by_password(
    transport: paramiko.Transport, target: HostTarget, route: Route, allowed: list[str], attempts: Attempts
) -> str | None:
    if target.password is None or not transport.is_active() or not {"password", "keyboard-interactive"} & set(allowed):
        return None
    attempts.tried.append("the inventory's password")
    try:
        further = transport.auth_password(route.user, target.password)
    except paramiko.AuthenticationException:
        return None
    return None if further else "the inventory's password"


def identities(route: Route, notes: list[str]) -> Iterator[Identity]:
    """ssh's order: keys of the agent that are configured, the agent's others, then files that the agent lacks."""
    files = [Path(file.replace("%d", str(Path.home()))).expanduser() for file in route.identity_files]
    configured = {blob for file in files if (blob := public_blob(file)) is not None}
    held = list(paramiko.Agent().get_keys()) if route.agent == "SSH_AUTH_SOCK" else []
    if route.agent not in {"SSH_AUTH_SOCK", "none"}:
        notes.append(f"the agent at {route.agent} (IdentityAgent) was not asked, only that of SSH_AUTH_SOCK")
    for key in sorted(held, key=lambda key: key.asbytes() not in configured):
        if key.asbytes() in configured or not route.identities_only:
            yield Identity(f"the agent's {key.get_name()} key {key.comment}".rstrip(), key)
    in_agent = {key.asbytes() for key in held}
    for file in files:
        if public_blob(file) not in in_agent and (key_of_file := load(file, notes)):
            yield Identity(str(file), key_of_file)


def public_blob(file: Path) -> bytes | None:
    try:
        return PublicBlob.from_file(str(file) + ".pub").key_blob
    except (OSError, ValueError, IndexError):
        return None


def load(file: Path, notes: list[str]) -> paramiko.PKey | None:
    """The private key, or None with a note that says why it cannot be used; a missing default key is no news."""
    try:
        if file.stat().st_mode & 0o077:
            notes.append(f"{file} is open to others, so ssh ignores it: chmod 600 {shlex.quote(str(file))}")
            return None
        key = paramiko.PKey.from_path(file)
        certificate = Path(f"{file}-cert.pub")
        if certificate.exists():
            key.load_certificate(str(certificate))
    except FileNotFoundError:
        return None
    except (paramiko.PasswordRequiredException, TypeError):  # the latter from cryptography, for the same
        notes.append(f"{file} needs its passphrase: ssh-add {shlex.quote(str(file))}")
        return None
    except (paramiko.SSHException, UnknownKeyType, OSError, ValueError) as error:
        notes.append(f"{file} was not tried: {error or type(error).__name__}")
        return None
    return key


def _refused(target: HostTarget, route: Route, allowed: list[str], attempts: Attempts) -> Fell:
    explicit = target.private_key_file
    if explicit and not Path(explicit).expanduser().exists():
        attempts.notes.insert(0, f"{explicit} (ansible_ssh_private_key_file) does not exist")
    tried = ", ".join(attempts.tried) or "nothing: no key, agent or password was at hand"
    accepted = ", ".join(allowed) or "unknown methods"
    refusal = f"{route.host} does not let {route.user} in; it accepts {accepted}; tried {tried}"
    message = "; ".join([refusal, *attempts.notes])
    key = f"-i {shlex.quote(explicit)} " if explicit else ""
    port = "" if route.port == 22 else f"-p {route.port} "
    remedy = f"ssh-copy-id {key}{port}{shlex.quote(f'{route.user}@{route.host}')}; or correct ansible_user"
    hidden = [name for name in target.unresolved if ("pass" in name and "become" not in name) or "key" in name]
    if hidden:
        return Fell(Finding(RUNG, Status.WARNING, f"{message}; {', '.join(hidden)} could not be tried", None))
    return Fell(Finding(RUNG, Status.FAILED, message, remedy))
