"""SQL of consumers: cursors with their leases, reading by position, and events that are handled one by one.

A position is a pair (xid, id). Events after it and below the oldest running transaction (`pg_snapshot_xmin`) can be
read, because no running transaction can add an event there. Every change of the failures of a partition locks its
cursor first, so that a command and a worker never change them at the same time.
"""

from __future__ import annotations

from sqlalchemy import text

# the expression of the index ix_events_partition
PARTITION = "get_byte(uuid_send(coalesce({alias}.campaign_id, '00000000-0000-0000-0000-000000000000'::uuid)), 15) & 15"
_PARTS = {
    "of_event": f"({PARTITION.format(alias='e')})",
    "event": (
        "e.id, CAST(e.xid AS text) AS xid, e.kind, e.version, e.recorded_at, e.occurred_at, e.campaign_id, e.actor_id, "
        "e.user_id, e.idea_id, e.request_id, e.data"
    ),
    # a failure for which later events of its campaign have to wait
    "f_blocks": "(f.parked_at IS NULL OR :waits)",
    "x_blocks": "(x.parked_at IS NULL OR :waits)",
}

ADD_CURSORS = text(
    """
    INSERT INTO app.event_cursors (consumer, partition, xid, id)
    SELECT :consumer, p, CASE WHEN :at_end THEN pg_snapshot_xmin(pg_current_snapshot()) ELSE '0'::xid8 END,
        '00000000-0000-0000-0000-000000000000'
    FROM generate_series(0, 15) AS p
    ON CONFLICT DO NOTHING
    """
)

# Partitions of a consumer with events to handle that no worker has leased.
_FIND_DUE = """
    WITH newest AS MATERIALIZED (
        SELECT p.partition, n.xid, n.id
        FROM generate_series(0, 15) AS p (partition)
        CROSS JOIN LATERAL (
            SELECT e.xid, e.id FROM app.events AS e
            WHERE {of_event} = p.partition AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY e.xid DESC, e.id DESC
            LIMIT 1
        ) AS n
    )
    SELECT c.partition
    FROM app.event_cursors AS c
    LEFT JOIN newest AS n ON n.partition = c.partition
    WHERE c.consumer = :consumer
        AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp())
        AND ((n.xid, n.id) > (c.xid, c.id) OR EXISTS (
            SELECT FROM app.event_failures AS f
            WHERE f.consumer = c.consumer AND f.partition = c.partition AND f.due_at <= clock_timestamp()))
    """
FIND_DUE = text(_FIND_DUE.format(**_PARTS))

# A token that is still stored is that of a worker that ended without releasing the lease.
TAKE_LEASE = text(
    """
    WITH free AS (
        SELECT c.consumer, c.partition, c.lease_token FROM app.event_cursors AS c
        WHERE c.consumer = :consumer AND c.partition = :partition
            AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp())
        FOR UPDATE SKIP LOCKED
    )
    UPDATE app.event_cursors AS c
    SET lease_token = :token, lease_until = clock_timestamp() + make_interval(secs => :lease_s), holder = :holder
    FROM free
    WHERE c.consumer = free.consumer AND c.partition = free.partition
    RETURNING CAST(c.xid AS text) AS xid, c.id, free.lease_token IS NOT NULL AS was_abandoned
    """
)

_HOLDS = """
    UPDATE app.event_cursors AS c
    SET {values}
    WHERE c.consumer = :consumer AND c.partition = :partition AND c.lease_token = :token
        AND c.xid = CAST(:from_xid AS xid8) AND c.id = :from_id
"""
_RENEWED = "lease_until = clock_timestamp() + make_interval(secs => :lease_s)"
ADVANCE = text(_HOLDS.format(values=f"xid = CAST(:xid AS xid8), id = :id, moved_at = clock_timestamp(), {_RENEWED}"))
RENEW_LEASE = text(_HOLDS.format(values=_RENEWED))
RELEASE_LEASE = text(
    """
    UPDATE app.event_cursors AS c
    SET lease_token = NULL, lease_until = NULL, holder = NULL
    WHERE c.consumer = :consumer AND c.partition = :partition AND c.lease_token = :token
    """
)

_READ_BATCH = """
    SELECT {event}, e.kind = ANY (:kinds) AS is_followed
    FROM app.events AS e
    WHERE {of_event} = :partition AND (e.xid, e.id) > (CAST(:xid AS xid8), :id)
        AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY e.xid, e.id
    LIMIT :batch_max
    """
READ_BATCH = text(_READ_BATCH.format(**_PARTS))
_READ_EVENT = "SELECT {event} FROM app.events AS e WHERE e.id = :id AND e.recorded_at = :recorded_at"
READ_EVENT = text(_READ_EVENT.format(**_PARTS))

_FIND_BLOCKED = """
    SELECT u.campaign_id FROM unnest(CAST(:campaign_ids AS uuid[])) AS u (campaign_id)
    WHERE EXISTS (
        SELECT FROM app.event_failures AS f
        WHERE f.consumer = :consumer AND f.campaign_id = u.campaign_id AND {f_blocks})
    """
FIND_BLOCKED = text(_FIND_BLOCKED.format(**_PARTS))

SET_ASIDE = text(
    """
    INSERT INTO app.event_failures (consumer, event_id, partition, campaign_id, xid, recorded_at)
    SELECT :consumer, u.id, :partition, u.campaign_id, CAST(u.xid AS xid8), u.recorded_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:campaign_ids AS uuid[]), CAST(:xids AS text[]), CAST(:recorded AS timestamptz[]))
        AS u (id, campaign_id, xid, recorded_at)
    """
)

# In each of these campaigns, the first failure that is not parked becomes due, unless an earlier one blocks it.
_RELEASE = """
    UPDATE app.event_failures AS f
    SET due_at = clock_timestamp()
    FROM (
        SELECT first.event_id FROM unnest(CAST(:campaign_ids AS uuid[])) AS u (campaign_id)
        CROSS JOIN LATERAL (
            SELECT x.event_id, x.parked_at, x.due_at FROM app.event_failures AS x
            WHERE x.consumer = :consumer AND x.campaign_id = u.campaign_id AND {x_blocks}
            ORDER BY x.xid, x.event_id
            LIMIT 1
        ) AS first
        WHERE first.parked_at IS NULL AND first.due_at IS NULL
    ) AS first
    WHERE f.consumer = :consumer AND f.event_id = first.event_id
    """
RELEASE = text(_RELEASE.format(**_PARTS))

FIND_DUE_FAILURE = text(
    """
    SELECT f.event_id, f.campaign_id, f.recorded_at, f.attempts FROM app.event_failures AS f
    WHERE f.consumer = :consumer AND f.partition = :partition AND f.due_at <= clock_timestamp()
    ORDER BY f.xid, f.event_id
    LIMIT 1
    """
)
BEGIN_ATTEMPT = text(
    """
    UPDATE app.event_failures AS f
    SET attempts = f.attempts + 1, due_at = clock_timestamp() + make_interval(secs => :backoff_s), error = :error
    WHERE f.consumer = :consumer AND f.event_id = :event_id AND f.attempts = :attempts AND f.due_at IS NOT NULL
    """
)
END_ATTEMPT = text(
    """
    DELETE FROM app.event_failures AS f
    WHERE f.consumer = :consumer AND f.event_id = :event_id AND f.attempts = :attempts AND f.due_at IS NOT NULL
    """
)
NOTE_ERROR = text(
    """
    UPDATE app.event_failures AS f SET error = :error
    WHERE f.consumer = :consumer AND f.event_id = :event_id AND f.attempts = :attempts AND f.due_at IS NOT NULL
    """
)
PARK = text(
    """
    UPDATE app.event_failures AS f SET due_at = NULL, parked_at = clock_timestamp(), error = coalesce(:error, f.error)
    WHERE f.consumer = :consumer AND f.event_id = :event_id AND f.attempts = :attempts AND f.due_at IS NOT NULL
    """
)
