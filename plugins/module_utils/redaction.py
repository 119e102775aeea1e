# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps secrets out of everything that people, results and logs see."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

HIDDEN = "***"
_SHORTEST = 4  # hiding every "1" or "yes" of an environment would make messages unreadable
_USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^\s/@]*)@", re.IGNORECASE)


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
