"""Why a host could not be reached, in a few words: ssh's own explanation may be a screenful, or only an exit code."""

from __future__ import annotations

# The first that stands in the text decides; the words are OpenSSH's and Ansible's.
_WORDS = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "its SSH host key has changed (reinstalled, or not that host)"),
    ("Host key verification failed", "its SSH host key is not known here"),
    ("Could not resolve hostname", "its name cannot be resolved"),
    ("Connection timed out during banner exchange", "SSH connects, but the host does not answer: it may hang"),
    ("timed out", "connection timed out"),
    ("Connection refused", "connection refused: no SSH server listens"),
    ("No route to host", "no route to the host"),
    ("Network is unreachable", "no route to its network"),
    ("Permission denied", "SSH login refused"),
    ("Too many authentication failures", "SSH login refused"),
    ("Connection closed by", "the host closed the SSH connection"),
    ("Connection reset by peer", "the host reset the SSH connection"),
)


def why_unreachable(said: str) -> str:
    """The cause in a few words; the text itself, on one line and shortened, when it is none of the usual ones."""
    known = next((words for sign, words in _WORDS if sign.lower() in said.lower()), None)
    return known or " ".join(said.removeprefix("Task failed: ").split())[:200] or "no reason given"
