"""Looks at every commit that touches a run, from inside the database, and keeps what must never be visible."""

from __future__ import annotations

from sqlalchemy.engine import Engine

# A deferred constraint trigger runs at the end of its transaction, so it sees exactly what the commit makes visible.
INSTALL = """
CREATE TABLE public.violations (run_id text, what text);
CREATE FUNCTION public.audit_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run record;
    events record;
    theirs text;
    ended boolean;
BEGIN
    SELECT * INTO run FROM headrace.runs WHERE run_id = NEW.run_id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT count(*) AS number, max(seq) AS last, count(*) FILTER (WHERE is_final) AS ends,
           max(seq) FILTER (WHERE is_final) AS final
    INTO events
    FROM (SELECT seq, type IN ('run.succeeded', 'run.failed', 'run.canceled') AS is_final
          FROM headrace.run_events WHERE run_id = NEW.run_id) AS e;
    ended := run.status IN ('SUCCESS', 'FAILURE', 'CANCELED');
    SELECT CASE status WHEN 'NOT_STARTED' THEN 'QUEUED' WHEN 'STARTED' THEN 'RUNNING'
                       WHEN 'SUSPENDED' THEN 'WAITING' ELSE status END
    INTO theirs FROM public.runs WHERE run_id = NEW.run_id;
    INSERT INTO public.violations
    SELECT NEW.run_id, what FROM (VALUES
        (theirs IS NULL OR theirs = run.status, format('Dagster says %s, we say %s', theirs, run.status)),
        (events.number = run.last_seq AND events.last = run.last_seq,
         format('%s events up to %s, last_seq %s', events.number, events.last, run.last_seq)),
        (ended = (run.ended_at IS NOT NULL), format('%s with ended_at %s', run.status, run.ended_at)),
        (events.ends = ended::int, format('%s with %s final events', run.status, events.ends)),
        (NOT ended OR events.final = run.last_seq, format('final event %s of %s', events.final, run.last_seq)),
        (run.status NOT IN ('FAILURE', 'CANCELED') OR run.error IS NOT NULL, format('%s without error', run.status))
    ) AS rules (holds, what) WHERE NOT holds;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER audit_run AFTER INSERT OR UPDATE ON headrace.runs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.audit_run();
CREATE CONSTRAINT TRIGGER audit_run AFTER INSERT OR UPDATE ON public.runs
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.audit_run();
"""


def take_violations(engine: Engine) -> list[tuple[str, str]]:
    """Run id and rule of every commit since the last call that showed something impossible."""
    with engine.begin() as connection:
        return [
            tuple(row) for row in connection.exec_driver_sql("DELETE FROM public.violations RETURNING run_id, what")
        ]
