# Copyright: Roundsman contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a PostgreSQL server says of itself, before and after it is maintained."""

from __future__ import annotations

from ..sources.postgresql_talk import text

SERVER = "SELECT pg_is_in_recovery() AS standby, current_setting('is_superuser') = 'on' AS superuser"
DATABASES = """SELECT d.datname AS name, d.datallowconn AND d.datconnlimit <> -2 AS open, d.datistemplate AS template,
    pg_database_size(d.oid) AS size_bytes,
    round(100.0 * greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) / 2147483648, 1)::float AS wraparound_percent,
    round(extract(epoch FROM now() - coalesce(s.stats_reset, pg_postmaster_start_time())) / 86400)::int AS counted_days
    FROM pg_database d LEFT JOIN pg_stat_database s ON s.datid = d.oid ORDER BY 1"""
# The size of what somebody holds exclusively (ALTER TABLE), or waits to, can only be had by waiting behind him.
_LOCKED = """WITH locked AS MATERIALIZED (SELECT coalesce(array_agg(l.relation), '{}') AS ids FROM pg_locks l
    WHERE l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation' AND l.pid <> pg_backend_pid()
    AND l.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))
"""
_USED = """round(100.0 * greatest(age(c.relfrozenxid), age(t.relfrozenxid), mxid_age(c.relminmxid),
    mxid_age(t.relminmxid)) / 2147483648, 1)::float AS wraparound_percent"""
# What was never analyzed is known from the statistics themselves: the counters are lost in a crash, and pg_upgrade
# brings neither. `columns` of a table or index: [width, share that is null, length of the type, alignment] of each.
_TABLES = """{locked}SELECT n.nspname AS schema, c.relname AS name, free.id IS NULL AS held,
    coalesce(pg_table_size(free.id), 0) AS size_bytes, coalesce(pg_relation_size(free.id), 0) AS heap_bytes,
    c.reltuples::float AS rows,
    current_setting('block_size')::int AS block_bytes,
    coalesce(s.n_live_tup, 0) + coalesce(ts.n_live_tup, 0) AS live,
    coalesce(s.n_dead_tup, 0) + coalesce(ts.n_dead_tup, 0) AS dead,
    coalesce(s.n_mod_since_analyze, 0) AS changed,
    coalesce(substring(array_to_string(c.reloptions, ' ') FROM 'fillfactor=([0-9]+)')::int, 100) AS fillfactor,
    {used},
    n.nspname <> 'pg_catalog' AND pg_relation_size(free.id) > 0
        AND NOT EXISTS (SELECT FROM pg_statistic WHERE starelid = c.oid)
        AND (coalesce(s.n_live_tup, 0) > 0 OR c.reltuples <> 0 OR c.relpages = 0) AS never_analyzed,
    (SELECT jsonb_agg(jsonb_build_array(st.stawidth, st.stanullfrac, a.attlen, a.attalign) ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_statistic st
        ON st.starelid = c.oid AND st.staattnum = a.attnum AND NOT st.stainherit
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN locked CROSS JOIN LATERAL
    (SELECT CASE WHEN ARRAY[c.oid, c.reltoastrelid] && locked.ids THEN NULL ELSE c.oid END AS id) free
    LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
    LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid LEFT JOIN pg_stat_all_tables ts ON ts.relid = c.reltoastrelid
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2"""
TABLES = _TABLES.format(locked=_LOCKED, used=_USED)
# A REINDEX CONCURRENTLY that failed leaves NAME_ccnew or NAME_ccold behind. Proven to be one is what has such a name,
# is invalid, and has a twin on the same table that indexes the same in the same way under a name of its own. `rows` are
# those that VACUUM would leave there (-1: never counted), so that a plan is what is done afterwards.
_INDEXES = """{locked}SELECT n.nspname AS schema, t.relname AS table, i.relname AS name, i.oid::int8 AS oid,
    free.id IS NULL AS held, coalesce(pg_table_size(free.id), 0) AS size_bytes,
    current_setting('block_size')::int AS block_bytes,
    CASE WHEN free.id IS NULL THEN -1
         WHEN t.relpages = 0 AND pg_relation_size(t.oid) > 0 THEN -1
         WHEN t.reltuples > 0 AND ts.n_dead_tup > 0 THEN i.reltuples * least(1, ts.n_live_tup / t.reltuples)
         ELSE i.reltuples END::float AS rows,
    x.indisvalid AS valid, i.relkind = 'I' AS partitioned, am.amname AS method,
    x.indisunique OR EXISTS (SELECT FROM pg_constraint WHERE conindid = i.oid) AS needed,
    x.indisexclusion AS exclusion, coalesce(s.idx_scan, 0) AS scans,
    coalesce(substring(array_to_string(i.reloptions, ' ') FROM 'fillfactor=([0-9]+)')::int, 90) AS fillfactor,
    coalesce(nullif(pg_tablespace_location(i.reltablespace), ''), current_setting('data_directory')) AS directory,
    EXISTS (SELECT FROM pg_stat_progress_create_index p
        WHERE p.datname = current_database() AND p.relid = t.oid) AS building,
    NOT x.indisvalid AND i.relname ~ '_cc(new|old)[0-9]*$' AND EXISTS
        (SELECT FROM pg_index o JOIN pg_class oi ON oi.oid = o.indexrelid
         WHERE o.indrelid = x.indrelid AND o.indexrelid <> x.indexrelid AND oi.relname !~ '_cc(new|old)[0-9]*$'
         AND oi.relam = i.relam AND o.indkey::text = x.indkey::text AND o.indclass::text = x.indclass::text
         AND o.indcollation::text = x.indcollation::text AND o.indoption::text = x.indoption::text
         AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(x.indexprs, x.indrelid)
         AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(x.indpred, x.indrelid)) AS leftover,
    (SELECT jsonb_agg(jsonb_build_array(st.stawidth, st.stanullfrac, a.attlen, a.attalign) ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_statistic st ON NOT st.stainherit
        AND st.starelid = CASE x.indkey[a.attnum - 1] WHEN 0 THEN i.oid ELSE t.oid END
        AND st.staattnum = CASE x.indkey[a.attnum - 1] WHEN 0 THEN a.attnum ELSE x.indkey[a.attnum - 1] END
        WHERE a.attrelid = i.oid) AS columns
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
    JOIN pg_namespace n ON n.oid = i.relnamespace JOIN pg_am am ON am.oid = i.relam CROSS JOIN locked CROSS JOIN LATERAL
    (SELECT CASE WHEN ARRAY[i.oid, t.oid] && locked.ids THEN NULL ELSE i.oid END AS id) free
    LEFT JOIN pg_stat_all_indexes s ON s.indexrelid = i.oid LEFT JOIN pg_stat_all_tables ts ON ts.relid = t.oid
    WHERE i.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND (n.nspname <> 'pg_toast' OR NOT x.indisvalid)
    ORDER BY 1, 2, 3"""
INDEXES = _INDEXES.format(locked=_LOCKED)
SIZE = "SELECT pg_database_size(current_database()) AS size_bytes"
AMCHECK = """SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'amcheck'"""
AMCHECK_AVAILABLE = "SELECT name FROM pg_available_extensions WHERE name = 'amcheck'"
# REINDEX CONCURRENTLY waits for every transaction that was there before it, of readers as well.
LONG_TRANSACTION = """SELECT pid, coalesce(usename, '?') AS "user",
    round(extract(epoch FROM now() - xact_start))::int AS age_s
    FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
    AND pid <> pg_backend_pid() AND xact_start < now() - interval '{0} s' ORDER BY xact_start LIMIT 1"""
# Who keeps dead rows from being removed.
HOLDER = """SELECT what FROM (
    SELECT age(backend_xmin) AS age, format('the transaction of pid %s (%s), open since %s', pid,
        coalesce(usename, '?'), to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')) AS what
        FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
    UNION ALL SELECT age(xmin), format('the replication slot %s', slot_name)
        FROM pg_replication_slots WHERE xmin IS NOT NULL
    UNION ALL SELECT age(transaction), format('the prepared transaction %s', gid) FROM pg_prepared_xacts
    ) held ORDER BY age DESC LIMIT 1"""


def is_there(database):
    """A query for a database, which the application may have dropped."""
    return _IS_THERE.format(text(database))


def is_still_leftover(index):
    """A query for whether what was found as a leftover still is one, asked just before it is removed."""
    return _IS_STILL_LEFTOVER.format(index["oid"])


def is_vacuumed(relation):
    """A query for who vacuums a table, or that of an index, asked just before it is worked on."""
    return _IS_VACUUMED.format(text(relation["schema"]), text(relation.get("table", relation["name"])))


def now_of(relation):
    """A query for what work may have changed in the table or index that a quoted name means; no row when it is gone."""
    return _NOW_OF.format(text(relation), _USED)


def give_way(pid):
    """A statement that ends what a server process does if others wait for it; a row when it did."""
    return _GIVE_WAY.format(pid)


_IS_THERE = "SELECT datname FROM pg_database WHERE datname = {0}"
_IS_STILL_LEFTOVER = """SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    WHERE i.oid = {0} AND NOT x.indisvalid AND i.relname ~ '_cc(new|old)[0-9]*$'"""
_NOW_OF = """SELECT pg_table_size(c.oid) AS size_bytes, {1}
    FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.oid = to_regclass({0})"""
# pg_blocking_pids stops the lock manager for a moment, so only those are asked about that wait for a lock at all.
_GIVE_WAY = """SELECT pg_cancel_backend({0}) WHERE EXISTS (SELECT FROM
    (SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> {0} OFFSET 0) waiting
    WHERE {0} = ANY (pg_blocking_pids(waiting.pid)))"""
_IS_VACUUMED = """SELECT p.pid FROM pg_stat_progress_vacuum p JOIN pg_class c ON p.relid IN (c.oid, c.reltoastrelid)
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.datname = current_database() AND n.nspname = {0} AND c.relname = {1}"""
