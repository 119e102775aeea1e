# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a procedure says that it could not."""

from __future__ import annotations


class ProcedureError(Exception):
    """A failure with a reason code of docs/records.md, a message for the person on call, and results besides."""

    def __init__(self, reason, message, results=None):
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.results = results or {}


def counted(number, one, many=None):
    """`1 table`, `2 tables`."""
    return "{0} {1}".format(number, one if number == 1 else many or one + "s")
