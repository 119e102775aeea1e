# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps secrets out of everything that people, results and logs see."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

HIDDEN = "***"
_SHORTEST = 4  # hiding every "1" or "yes" of an environment would make messages unreadable
# Every repetition has a limit: what is searched may come from a host that is hostile, and be long.
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,30}://)(?P<user>[^\s/@]*)@", re.IGNORECASE)
# A value behind a telling name, or of a telling shape; of a guess no more can be asked.
_TELLING = r"(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|signature|credentials?)[\w-]{0,60}"
_OBVIOUS = re.compile(
    r"(" + _TELLING + r"[\"']?\s*[:=]\s*|--" + _TELLING + r"\s+|(?:bearer|authorization:\s*\w+)\s+)"
    r"(?:\"[^\"]+\"|'[^']+'|[\"']?[^\s\"'&;,]+)",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    r"|\b(?:gh[opsu]_|glpat-|xox[abeprs]-)[\w-]{10,}"  # GitHub, GitLab, Slack
    r"|\beyJ[\w-]{8,300}\.[\w-]{8,4000}\.[\w-]+",  # JSON web tokens
    re.DOTALL,
)
_LONGEST_QUOTE = 200


def without_credentials(url):
    """The repository's address without user and password: rest:https://u:p@host/ -> rest:https://host/."""
    return _USERINFO.sub(r"\g<scheme>", url)


def url_secrets(url):
    """The passwords in an address, as written and decoded (a user name alone is no secret)."""
    found = set()
    for match in _USERINFO.finditer(url):
        password = match.group("user").partition(":")[2]
        found |= {password, unquote(password)}
    return found - {""}


def redactor(url, secrets):
    """A function str -> str that hides the given secrets and those in the address, however they are quoted."""
    known = url_secrets(url) | {str(s) for s in secrets if len(str(s)) >= _SHORTEST}
    known |= {quote(s, safe="") for s in known}
    ordered = sorted(known, key=len, reverse=True)

    def redact(text):
        for secret in ordered:
            text = text.replace(secret, HIDDEN)
        return _USERINFO.sub(r"\g<scheme>" + HIDDEN + "@", text)

    return redact


def without_obvious(text):
    """`text` without what looks like a secret: `password=...`, `Bearer ...`, credentials in URLs, keys. No promise."""
    text = _SHAPES.sub(HIDDEN, without_credentials(text))
    return _OBVIOUS.sub(r"\g<1>" + HIDDEN, text)


def names_secret(key):
    """True when the value under this key of a mapping is likely one."""
    return re.search(_TELLING, str(key), re.IGNORECASE) is not None


def for_people(url):
    """`url` without user and password, and without what else looks like a secret."""
    parts = urlsplit(url)
    return without_obvious(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))


def quoted(text):
    """Foreign text for a message: printable, in one line, short, without what looks like a secret."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[: 10 * _LONGEST_QUOTE])
    text = " ".join(without_obvious(text).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 3] + "..."
