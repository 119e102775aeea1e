# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the maintenance of PostgreSQL says to people."""

from __future__ import annotations

from .database_postgresql_ask import AT_WORK, CANCELED, DUPLICATES, GAVE_WAY, LOCK_TIMEOUT

WRAPAROUND = (
    "database {0} has used {1:g}% of its transaction numbers: autovacuum does not get done there. At 100% the server "
    "takes no more writes. What it lets us into is frozen now; look for old transactions, replication slots and "
    "prepared transactions"
)
NO_SUPERUSER = "the login is no superuser, whom the server would let vacuum every table; nothing was done there"
STOPPED = "database {0}: {1}; what was still to be done there was left"
DAMAGED = (
    "database {0} is damaged, so nothing was changed in it: {1}. Save its files before anything else. If a new version "
    "of the C library's collations is the cause, REINDEX helps; otherwise look for failing memory and disks, and "
    "restore"
)
WAITS = (
    "{1} indexes of {0} are to be rebuilt or removed, which was left: it would wait for the transaction of pid {2} "
    "({3}), open for {4}. Run roundsman maintain database again when that is over"
)
NO_ROOM = "{0} was not built anew: {1} has {2} free, and {3} are wanted"
KEPT = "dead rows of {0} cannot be removed while {1} may still see them. End that, and run this again"
HELD = (
    "tables of {0} were left out, for somebody holds them exclusively (as ALTER TABLE does) or waits to: "
    "{1}. Run roundsman maintain database again when that is over"
)
WASTEFUL = (
    "about {1} of the {2} of {0} are empty; VACUUM leaves that to new rows. To have it back on disk use pg_repack, or "
    "VACUUM FULL while nobody needs the table"
)
INVALID = (
    "index {0} is invalid: nothing reads it, and every write pays for it. REINDEX INDEX CONCURRENTLY {1}, or drop it"
)
UNUSED = (
    "{0} indexes ({1}) were not read in the {2} days that are counted: {3}. If no standby reads them either, drop them "
    "by DROP INDEX CONCURRENTLY"
)
WARNED = {
    LOCK_TIMEOUT: "{0} was left as it is: the lock for {1} was not to be had in {2} attempts. Nothing was held up",
    GAVE_WAY: "{0} was left as it is: {1} gave way to others who waited for the table, in {2} attempts",
    AT_WORK: "{0} was left as it is: a VACUUM is at work there, which {1} would end or wait for",
    CANCELED: "{0} was left as it is: {1} took longer than roundsman_database_statement_timeout_s allows",
    DUPLICATES: "{0} cannot be built: the table holds duplicates of its key. Remove those, then {1}",
}
