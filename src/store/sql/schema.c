/*
 * schema.c - the tables of the sql store: what they are, making them, and changing older ones.
 *
 * docs/sql.md describes the tables for people. What stands here is how they are kept true:
 *
 *  1. mneme_record has one row for each record and tombstone; its key is the record's last change
 *     number, so the table is the change log, too, and in its order.
 *  2. mneme_attribute has a row for each attribute of each live record, but see 8; mneme_chunk what
 *     does not fit into a record's body; mneme_kind counts. A trigger on mneme_record takes
 *     away what belonged to a record that goes, for a hand that deletes, too; what comes in is
 *     counted where it is put in, for many rows at once.
 *  3. mneme_store has one row: the last change number, the greatest clock, and, in its columns
 *     old_… and next_…, what the trigger of mneme_apply knows of the mutation it is at.
 *  4. mneme_apply is a view without rows; a row inserted there is a mutation. Its trigger is the
 *     store's whole logic of writing, and runs where the data is: so a batch costs one message.
 *  5. A condition that does not hold ends the INSERT (and so takes back the batch) with an error
 *     whose text has "mneme:NUMBER:missing", "…:deleted" or "…:conflict". SQLite's RAISE takes
 *     only constant texts (before 3.47), so the text is made by json_extract, which quotes a path
 *     that it cannot read.
 *  6. mneme_transaction keeps the ids of the transactions of the last hour, with their outcomes;
 *     mneme_end is a view, and its trigger notes an outcome.
 *  7. mneme_exchange is another view without rows; a row inserted there begins an exchange of sync
 *     (feed.h). What speaks against it ends the INSERT, as in 5: "mneme:epoch", "…:unknown",
 *     "…:tag", "…:fence". Its pushes are rows of mneme_push (puts), and of mneme_apply with the
 *     condition 'still': they pass over a mutation where 'change' would end the INSERT. Their
 *     outcomes are not rows, but a letter each in the column `told`: 'n' for one that has the next
 *     change number, '+' for a purge, '-' for what was passed over. Where there are many plain ones
 *     (feed_plain.c) they are rows of mneme_record at once; each has a number of its own, also when
 *     it is passed over. One letter 'a' stands for all of them when none was.
 *  8. mneme_attribute has what records up to the change number `indexed` have, and perhaps later
 *     ones: rows of mneme_apply are indexed at once, but for those of exchanges. An index row goes
 *     to a page of its own as a rule, which for many records at once is most of the work; done
 *     together, in the order of the index, it is a fifth of that. So exchanges leave it to the
 *     trigger of mneme_end, which takes up to 1,000 at once, and none behind an exchange with many
 *     pushes, unless 8,000 wait. Who asks by attribute looks through those that wait (query.c).
 */
#include "os/log.h"
#include "store/sql/sql_impl.h"

static const char *const format_1[] = {
    "CREATE TABLE mneme_store(one INTEGER PRIMARY KEY CHECK(one = 1), format INTEGER NOT NULL,"
    " epoch TEXT NOT NULL, device TEXT NOT NULL, change INTEGER NOT NULL DEFAULT 0,"
    " floor INTEGER NOT NULL DEFAULT 0,"
    " clock INTEGER NOT NULL DEFAULT 0, commits INTEGER NOT NULL DEFAULT 0,"
    " now_clock INTEGER NOT NULL DEFAULT 0, applied INTEGER NOT NULL DEFAULT 0,"
    " old_change INTEGER, old_live INTEGER, old_flags INTEGER, old_clock INTEGER, old_device TEXT,"
    " old_parent BLOB, old_place INTEGER, old_time_us INTEGER,"
    " next_clock INTEGER, next_device TEXT, next_place INTEGER, told TEXT NOT NULL DEFAULT '',"
    " indexed INTEGER NOT NULL DEFAULT 0, was_indexed INTEGER NOT NULL DEFAULT 0,"
    " plain_from INTEGER NOT NULL DEFAULT 0, plain INTEGER NOT NULL DEFAULT 0)",

    "CREATE TABLE mneme_record(change INTEGER PRIMARY KEY, kind TEXT NOT NULL, id BLOB NOT NULL,"
    " time_us INTEGER NOT NULL, live INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " clock INTEGER NOT NULL, device TEXT NOT NULL, parent BLOB, place INTEGER NOT NULL,"
    " attributes TEXT NOT NULL, plain_size INTEGER NOT NULL, body_size INTEGER NOT NULL,"
    " checksum INTEGER NOT NULL, chunks INTEGER NOT NULL, body BLOB NOT NULL)",
    "CREATE UNIQUE INDEX mneme_record_name ON mneme_record(kind, id)",
    "CREATE INDEX mneme_record_time ON mneme_record(kind, time_us, id) WHERE live = 1",
    "CREATE INDEX mneme_record_parent ON mneme_record(parent, kind, place, id)"
    " WHERE parent IS NOT NULL",
    "CREATE INDEX mneme_record_dead ON mneme_record(change) WHERE live = 0",

    "CREATE TABLE mneme_attribute(kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,"
    " time_us INTEGER NOT NULL, id BLOB NOT NULL,"
    " PRIMARY KEY(kind, name, value, time_us, id)) WITHOUT ROWID",

    "CREATE TABLE mneme_chunk(kind TEXT NOT NULL, id BLOB NOT NULL, number INTEGER NOT NULL,"
    " data BLOB NOT NULL, PRIMARY KEY(kind, id, number))",

    "CREATE TABLE mneme_kind(kind TEXT PRIMARY KEY, records INTEGER NOT NULL DEFAULT 0,"
    " tombstones INTEGER NOT NULL DEFAULT 0, stored_bytes INTEGER NOT NULL DEFAULT 0,"
    " plain_bytes INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID",

    "CREATE TABLE mneme_transaction(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, time_us "
    "INTEGER NOT NULL,"
    " made_s INTEGER NOT NULL DEFAULT (unixepoch()), outcome TEXT, before INTEGER,"
    " after INTEGER)",

    "CREATE TABLE mneme_outcome(number INTEGER PRIMARY KEY, outcome TEXT NOT NULL)",

    "CREATE TABLE mneme_peer(peer TEXT PRIMARY KEY, name TEXT NOT NULL, cursor INTEGER NOT NULL,"
    " tag TEXT NOT NULL, fence INTEGER NOT NULL, seen_us INTEGER NOT NULL) WITHOUT ROWID",

    "CREATE TRIGGER mneme_record_delete AFTER DELETE ON mneme_record BEGIN"
    " DELETE FROM mneme_attribute WHERE (kind, name, value, time_us, id) IN"
    "  (SELECT OLD.kind, json_extract(value, '$[0]'), json_extract(value, '$[1]'), OLD.time_us,"
    "   OLD.id FROM json_each(OLD.attributes) WHERE OLD.live = 1);"
    " DELETE FROM mneme_chunk WHERE OLD.chunks > 0 AND kind = OLD.kind AND id = OLD.id;"
    " UPDATE mneme_kind SET records = records - OLD.live, tombstones = tombstones - 1 + OLD.live,"
    "  stored_bytes = stored_bytes - OLD.live * OLD.body_size,"
    "  plain_bytes = plain_bytes - OLD.live * OLD.plain_size WHERE kind = OLD.kind;"
    " END",

    /* Rows are in the order of their times, so the oldest are the first; a few of them at once need
     * no index of times. */
    "CREATE TRIGGER mneme_transaction_insert AFTER INSERT ON mneme_transaction BEGIN"
    " DELETE FROM mneme_transaction WHERE number < (SELECT min(number) + 8 FROM"
    "  mneme_transaction) AND made_s < NEW.made_s - 3600;"
    " DELETE FROM mneme_outcome WHERE number >= 0;" /* a bare one writes the page in any case */
    " UPDATE mneme_store SET commits = commits + 1, now_clock = (NEW.time_us / 1000) << 16;"
    " END",

    /* The outcome of the newest transaction, which is the one under way, is kept in one statement,
     * so that a request can ask for it in few bytes. */
    "CREATE VIEW mneme_end AS SELECT 0 AS one WHERE 0",
    "CREATE TRIGGER mneme_end_insert INSTEAD OF INSERT ON mneme_end BEGIN"
    " UPDATE mneme_transaction SET (outcome, after) = (SELECT CASE WHEN before IS NULL THEN"
    "   (SELECT group_concat(number || ':' || outcome, ' ') FROM mneme_outcome) ELSE told END,"
    "   change FROM mneme_store) WHERE number = (SELECT max(number) FROM mneme_transaction);"
    " UPDATE mneme_store SET was_indexed = indexed, indexed = (SELECT CASE"
    "   WHEN ifnull(change - before, 0) >= 50 AND change - indexed < 8000 THEN indexed"
    "   ELSE min(change, indexed + 1000) END FROM mneme_transaction"
    "   WHERE number = (SELECT max(number) FROM mneme_transaction));"
    " INSERT OR IGNORE INTO mneme_attribute(kind, name, value, time_us, id)"
    "  SELECT r.kind, a.value->>0, a.value->>1, r.time_us, r.id"
    "   FROM mneme_store s CROSS JOIN mneme_record r NOT INDEXED CROSS JOIN"
    "   json_each(r.attributes) a"
    "   WHERE r.change > s.was_indexed AND r.change <= s.indexed AND r.live = 1"
    "   ORDER BY 1, 2, 3, 4, 5;"
    " END",

    /* The plus signs make servers leave out the declared types, which for a short answer are much
     * of its bytes, as long names are. */
    "CREATE VIEW mneme_now AS SELECT +epoch AS e, +change AS c, +floor AS f,"
    " CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000 AS t"
    " FROM mneme_store",
    "CREATE VIEW mneme_told AS SELECT id, +before AS b, +after AS a, +outcome AS o"
    " FROM mneme_transaction",
    /* Packed: see feed_row.c; `change` must be the column itself, to be found by. The parentheses
       keep what is copied again and again short. */
    "CREATE VIEW mneme_feed AS SELECT change,"
    " (kind || ' ' || time_us || ' ' || flags || ' ') || (clock || ' ' || device || ' ') ||"
    " (place || ' ' || plain_size || ' ' || body_size || ' ') || (checksum || ' ' || chunks || ' ')"
    " || (hex(id) || ' ' || hex(parent) || ' ' || attributes) AS head, +body AS body"
    " FROM mneme_record",

    "CREATE VIEW mneme_apply AS SELECT 0 AS number, '' AS op, '' AS condition, '' AS expect,"
    " '' AS kind, x'' AS id, 0 AS time_us, 0 AS flags, 0 AS clock, '' AS device, x'' AS parent,"
    " 0 AS place, '' AS attributes, 0 AS plain_size, 0 AS body_size, 0 AS checksum, 0 AS chunks,"
    " x'' AS body, 0 AS exact WHERE 0",

    "CREATE TRIGGER mneme_apply_chunk INSTEAD OF INSERT ON mneme_apply WHEN NEW.op = 'chunk' BEGIN"
    " INSERT INTO mneme_chunk(kind, id, number, data)"
    "  SELECT NEW.kind, NEW.id, NEW.place, NEW.body FROM mneme_store WHERE applied = 1;"
    " END",

    /* First the record as it is, then the conditions in the order of store.h, then the numbers
     * that a put or delete is given, then the rows. A record that is replaced counts among those
     * whose greatest place is looked for. */
    "CREATE TRIGGER mneme_apply_record INSTEAD OF INSERT ON mneme_apply"
    " WHEN NEW.op <> 'chunk' BEGIN"
    " UPDATE mneme_store SET (old_change, old_live, old_flags, old_clock, old_device, old_parent,"
    "  old_place, old_time_us) = (SELECT change, live, flags, clock, device, parent, place, time_us"
    "  FROM mneme_record WHERE kind = NEW.kind AND id = NEW.id);"
    " UPDATE mneme_store SET applied = CASE"
    "  WHEN old_live IS NOT 1 AND (NEW.condition IN ('live', 'open', 'version')"
    "   OR NEW.op = 'delete' AND NEW.clock IS NULL)"
    "   THEN json_extract('0', 'mneme:' || NEW.number ||"
    "    iif(old_change IS NULL, ':missing', ':deleted'))"
    "  WHEN CASE NEW.condition"
    "   WHEN 'absent' THEN old_live IS 1"
    "   WHEN 'open' THEN old_flags & 2"
    "   WHEN 'version' THEN old_clock <> NEW.expect->>0 OR old_device <> NEW.expect->>1"
    "   WHEN 'parent' THEN old_parent IS NOT NULL AND old_parent IS NOT NEW.parent"
    "   WHEN 'change' THEN ifnull(old_change, 0) <> NEW.expect"
    "   WHEN 'children' THEN (NEW.expect->>1, NEW.expect->>2)"
    "    <> (SELECT count(*), ifnull(max(place), 0) FROM mneme_record WHERE parent = NEW.id"
    "     AND kind = NEW.expect->>0 AND live = 1)"
    "   WHEN 'no_attribute' THEN EXISTS (SELECT 1 FROM mneme_attribute WHERE kind = NEW.kind"
    "    AND name = NEW.expect->>0 AND value = NEW.expect->>1)"
    "    OR EXISTS (SELECT 1 FROM mneme_record NOT INDEXED WHERE mneme_record.change > indexed"
    "     AND kind = NEW.kind AND live = 1 AND instr(attributes, NEW.expect))"
    "   ELSE 0 END"
    "   THEN json_extract('0', 'mneme:' || NEW.number || ':conflict')"
    "  WHEN NEW.condition = 'still' AND ifnull(old_change, 0) <> NEW.expect THEN 0"
    "  WHEN NEW.op = 'purge' THEN old_change IS NOT NULL"
    "  WHEN NEW.exact IS NOT 1 AND NEW.clock IS NOT NULL AND old_change IS NOT NULL"
    "   THEN (NEW.clock, NEW.device) > (old_clock, old_device)"
    "  ELSE 1 END;"
    " UPDATE mneme_store SET change = change + 1, indexed = indexed + (indexed = change),"
    "  clock = max(clock, ifnull(NEW.clock, max(clock + 1, now_clock))),"
    "  next_clock = ifnull(NEW.clock, max(clock + 1, now_clock)),"
    "  next_device = ifnull(NEW.device, device),"
    "  next_place = CASE WHEN NEW.op = 'delete' AND (NEW.exact IS NULL OR NEW.parent IS NULL)"
    "    THEN ifnull(old_place, 0)"
    "   WHEN NEW.parent IS NULL THEN 0 WHEN NEW.place > 0 THEN NEW.place"
    "   ELSE (SELECT ifnull(max(place), 0) + 1 FROM mneme_record"
    "    WHERE parent = NEW.parent AND kind = NEW.kind) END"
    "  WHERE applied = 1 AND NEW.op IN ('put', 'delete');"
    " DELETE FROM mneme_record WHERE change = (SELECT old_change FROM mneme_store"
    "  WHERE applied = 1 AND NEW.op <> 'check');"
    " INSERT INTO mneme_record SELECT change, NEW.kind, NEW.id,"
    "  iif(NEW.op = 'put' OR NEW.exact = 1 AND NEW.parent IS NOT NULL, NEW.time_us,"
    "   ifnull(old_time_us, 0)), NEW.op = 'put',"
    "  CASE WHEN NEW.op = 'delete' THEN 1 WHEN old_live = 1 THEN NEW.flags | (old_flags & 8)"
    "   ELSE NEW.flags END, next_clock, next_device,"
    "  iif(NEW.op = 'put' OR NEW.exact = 1 AND NEW.parent IS NOT NULL, NEW.parent,"
    "   old_parent), next_place,"
    "  ifnull(NEW.attributes, '[]'), ifnull(NEW.plain_size, 0), ifnull(NEW.body_size, 0),"
    "  ifnull(NEW.checksum, 0), ifnull(NEW.chunks, 0), ifnull(NEW.body, x'')"
    "  FROM mneme_store WHERE applied = 1 AND NEW.op IN ('put', 'delete');"
    " UPDATE mneme_kind SET records = records + (NEW.op = 'put'),"
    "  tombstones = tombstones + (NEW.op <> 'put'),"
    "  stored_bytes = stored_bytes + ifnull(NEW.body_size, 0),"
    "  plain_bytes = plain_bytes + ifnull(NEW.plain_size, 0) WHERE kind = NEW.kind"
    "  AND (SELECT applied AND NEW.op IN ('put', 'delete') FROM mneme_store);"
    " INSERT OR IGNORE INTO mneme_attribute(kind, name, value, time_us, id)"
    "  SELECT NEW.kind, value->>0, value->>1, NEW.time_us, NEW.id"
    "   FROM mneme_store CROSS JOIN json_each(NEW.attributes) WHERE applied = 1 AND NEW.op = 'put';"
    " INSERT INTO mneme_outcome SELECT NEW.number, CASE WHEN applied = 0 THEN '-'"
    "  WHEN NEW.op IN ('put', 'delete') THEN change || ':' || next_place || ':' || next_clock"
    "  ELSE '+' END FROM mneme_store WHERE NEW.condition IS NOT 'still';"
    " UPDATE mneme_store SET told = told || CASE WHEN applied = 0 THEN '-'"
    "  WHEN NEW.op = 'purge' THEN '+' ELSE 'n' END WHERE NEW.condition = 'still';"
    " END",

    /* A pushed record, of which there are many: the same in few statements, and what a push always
     * has is not said. When what is expected is not there, nothing is deleted; when something else
     * is, it is in the way of the INSERT. A device is a number here. */
    "CREATE VIEW mneme_push AS SELECT 0 AS expect, '' AS kind, x'' AS id, 0 AS time_us,"
    " 0 AS flags, 0 AS clock, 0 AS device, x'' AS parent, 0 AS place, '' AS attributes,"
    " 0 AS plain_size, 0 AS body_size, 0 AS checksum, 0 AS chunks, x'' AS body WHERE 0",
    "CREATE TRIGGER mneme_push_insert INSTEAD OF INSERT ON mneme_push BEGIN"
    " DELETE FROM mneme_record WHERE change = NEW.expect AND kind = NEW.kind AND id = NEW.id;"
    " INSERT INTO mneme_record SELECT change + 1, NEW.kind, NEW.id, NEW.time_us, 1, NEW.flags,"
    "  NEW.clock, printf('%016x', NEW.device), NEW.parent, CASE WHEN NEW.parent IS NULL THEN 0"
    "   WHEN NEW.place > 0 THEN NEW.place ELSE (SELECT ifnull(max(place), 0) + 1"
    "    FROM mneme_record WHERE parent = NEW.parent AND kind = NEW.kind) END,"
    "  NEW.attributes, NEW.plain_size, NEW.body_size, NEW.checksum, NEW.chunks, NEW.body"
    "  FROM mneme_store WHERE NEW.expect = 0 OR changes() = 1 ON CONFLICT(kind, id) DO NOTHING;"
    " UPDATE mneme_store SET applied = changes(), change = change + changes(),"
    "  clock = CASE changes() WHEN 1 THEN max(clock, NEW.clock) ELSE clock END,"
    "  told = told || CASE changes() WHEN 1 THEN 'n' ELSE '-' END;"
    " UPDATE mneme_kind SET records = records + 1, stored_bytes = stored_bytes + NEW.body_size,"
    "  plain_bytes = plain_bytes + NEW.plain_size"
    "  WHERE kind = NEW.kind AND (SELECT applied FROM mneme_store) = 1;"
    " END",

    /* What became of the pushes that were put in plainly, and their counts. As a rule all went in,
     * which is one letter. */
    "CREATE VIEW mneme_plain AS WITH RECURSIVE push(change, last) AS (SELECT plain_from + 1,"
    " plain_from + plain FROM mneme_store UNION ALL SELECT change + 1, last FROM push"
    " WHERE change < last) SELECT group_concat(CASE WHEN EXISTS (SELECT 1 FROM mneme_record r"
    " WHERE r.change = push.change) THEN 'n' ELSE '-' END, '') AS told FROM push",
    "CREATE TRIGGER mneme_plain_insert INSTEAD OF INSERT ON mneme_plain BEGIN"
    " UPDATE mneme_kind SET records = records + put.n, stored_bytes = stored_bytes + put.stored,"
    "  plain_bytes = plain_bytes + put.plain FROM (SELECT r.kind AS of, count(*) AS n,"
    "   sum(body_size) AS stored, sum(plain_size) AS plain FROM mneme_store s CROSS JOIN"
    "   mneme_record r NOT INDEXED WHERE r.change > s.plain_from"
    "    AND r.change <= s.plain_from + s.plain GROUP BY 1) AS put WHERE kind = put.of;"
    " UPDATE mneme_store SET told = CASE (SELECT count(*) FROM mneme_record r NOT INDEXED"
    "   WHERE r.change > plain_from AND r.change <= plain_from + plain)"
    "  WHEN plain THEN 'a' ELSE (SELECT told FROM mneme_plain) END;"
    " END",

    /* An exchange with a peer begins: the checks of feed.h, in its order, then the peer's row.
     * Numbers and the bytes of the epoch take half as many bytes as the texts that they stand for;
     * an epoch of other texts is given as it is. */
    "CREATE VIEW mneme_exchange AS SELECT x'' AS id, 0 AS peer, x'' AS epoch, 0 AS tag,"
    " 0 AS next_tag, 0 AS fence, 0 AS cursor, '' AS name, 0 AS plain, 0 AS clock WHERE 0",
    "CREATE TRIGGER mneme_exchange_insert INSTEAD OF INSERT ON mneme_exchange BEGIN"
    " INSERT INTO mneme_transaction(id, time_us, before)"
    "  SELECT NEW.id, unixepoch() * 1000000, change FROM mneme_store;"
    " UPDATE mneme_store SET told = CASE WHEN NEW.epoch NOT IN (x'', epoch)"
    "    AND lower(hex(NEW.epoch)) <> epoch THEN json_extract('0', 'mneme:epoch')"
    "   ELSE ifnull((SELECT CASE WHEN tag NOT IN (printf('%016x', NEW.tag),"
    "     printf('%016x', NEW.next_tag)) THEN json_extract('0', 'mneme:tag')"
    "    WHEN fence > NEW.fence THEN json_extract('0', 'mneme:fence') ELSE '' END"
    "    FROM mneme_peer WHERE peer = printf('%016x', NEW.peer)),"
    "    CASE NEW.epoch WHEN x'' THEN '' ELSE json_extract('0', 'mneme:unknown') END) END,"
    "  plain_from = change, plain = NEW.plain, change = change + NEW.plain,"
    "  clock = max(clock, NEW.clock);"
    " INSERT OR REPLACE INTO mneme_peer(peer, name, cursor, tag, fence, seen_us)"
    "  VALUES(printf('%016x', NEW.peer), NEW.name, NEW.cursor, printf('%016x', NEW.next_tag),"
    "   NEW.fence, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000);"
    " END",

    "INSERT INTO mneme_store(one, format, epoch, device) VALUES(1, 0, lower(hex(randomblob(16))),"
    " lower(hex(randomblob(8))))",
    "INSERT INTO mneme_kind(kind) VALUES ('episode'), ('step'), ('pattern'), ('heuristic'),"
    " ('embedding'), ('relation'), ('checkpoint'), ('dictionary'), ('superseded')",

    /* For people: what they ask for by name. */
    "CREATE VIEW mneme_text AS SELECT change, kind, lower(substr(hex(id), 1, 8) || '-' ||"
    " substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4) ||"
    " '-' || substr(hex(id), 21)) AS id, strftime('%Y-%m-%d %H:%M:%S', time_us / 1000000,"
    " 'unixepoch') AS time, time_us, CASE WHEN flags & 2 THEN 'sealed' ELSE '' END AS state,"
    " body_size, plain_size, attributes, id AS record FROM mneme_record WHERE live = 1",
    "CREATE VIEW mneme_episodes AS SELECT e.id, e.time,"
    " max(CASE a.value->>0 WHEN 'outcome' THEN a.value->>1 END) AS outcome,"
    " max(CASE a.value->>0 WHEN 'type' THEN a.value->>1 END) AS type,"
    " max(CASE a.value->>0 WHEN 'domain' THEN a.value->>1 END) AS domain,"
    " max(CASE a.value->>0 WHEN 'language' THEN a.value->>1 END) AS language,"
    " group_concat(CASE a.value->>0 WHEN 'tag' THEN a.value->>1 END) AS tags,"
    " e.body_size, e.plain_size FROM mneme_text e LEFT JOIN json_each(e.attributes) a"
    " WHERE e.kind = 'episode' GROUP BY e.change",
};

const struct sql_migration sql_migrations[SQL_FORMAT] = {{format_1, COUNT_OF(format_1)}};

/* ---- Looking, making, changing --------------------------------------------------------------- */

struct found {
    bool there;
    int64_t format;
    uint64_t device;
};

static int look(struct sql_driver *driver, struct found *out, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    program_add(&p, "SELECT count(*) FROM sqlite_master WHERE name = 'mneme_store'", NULL, 0);
    program_add(&p, "SELECT format, device FROM mneme_store", NULL, 0);
    TRY(program_run(&p, driver, false, &results, error));
    TRY(step_check(&results, 0, "the database cannot be read", error));
    const struct sql_step_result *tables = &results.steps[0], *row = &results.steps[1];
    *out = (struct found){.there = tables->rows == 1 && tables->columns == 1 &&
                                   tables->values[0].type == SQL_INTEGER &&
                                   tables->values[0].integer > 0};
    if (!out->there)
        return 0;
    if (row->outcome != SQL_DONE || row->rows != 1 || row->columns != 2 ||
        row->values[0].type != SQL_INTEGER || row->values[1].type != SQL_TEXT ||
        !device_parse(row->values[1].bytes, &out->device))
        return error_set(error, MNEME_CORRUPT,
                         "this database has a table mneme_store that is not mneme's, or is "
                         "damaged; use another database, or restore it from a backup");
    out->format = row->values[0].integer;
    return 0;
}

/* From format `from` to the next. Whoever comes second finds that the guarding step fails: for
 * format 0 there is the table already, later the UPDATE of the format comes first and hits the
 * CHECK of a row that another has changed. */
static int migrate(struct sql_driver *driver, const struct sql_migration *migration, int64_t from,
                   mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    struct sql_value formats[] = {sql_integer(from + 1), sql_integer(from)};
    program_add(&p, "BEGIN IMMEDIATE", NULL, 0);
    if (from > 0)
        program_then(&p, "UPDATE mneme_store SET one = CASE format WHEN ? THEN 1 ELSE 2 END",
                     &formats[1], 1);
    for (size_t i = 0; i < migration->count; i++)
        program_then(&p, migration->statements[i], NULL, 0);
    program_then(&p, "UPDATE mneme_store SET format = ? WHERE format = ?", formats, 2);
    size_t commit = program_then(&p, "COMMIT", NULL, 0);
    program_guarded(&p, "ROLLBACK", NULL, 0, SQL_IF_NOT_DONE, commit);
    TRY(program_run(&p, driver, true, &results, error));
    for (size_t i = 0; i < commit; i++)
        if (results.steps[i].outcome == SQL_FAILED)
            return step_check(&results, i, "the tables of mneme could not be made or changed",
                              error);
    return step_check(&results, commit, "the tables of mneme could not be made or changed", error);
}

static int newer(int64_t format, size_t ours, mneme_error *error) {
    return error_set(error, MNEME_NEWER_FORMAT,
                     "the tables have format %lld, and this mneme knows up to %zu; use a newer "
                     "mneme",
                     (long long)format, ours);
}

int schema_open(struct sql_driver *driver, const struct sql_options *options,
                const struct sql_migration *migrations, size_t count, uint64_t *device,
                mneme_error *error) {
    struct found found;
    TRY(look(driver, &found, error));
    if (!found.there && (options->must_exist || options->read_only))
        return error_set(error, MNEME_NOT_FOUND,
                         "this database has no tables of mneme; open it once for writing, or check "
                         "its name");
    for (size_t rounds = 0; found.format != (int64_t)count; rounds++) {
        if (found.format < 0 || found.format > (int64_t)count)
            return newer(found.format, count, error);
        if (options->read_only)
            return error_set(error, MNEME_PERMISSION,
                             "the tables have format %lld and must be changed to %zu; open the "
                             "store once for writing",
                             (long long)found.format, count);
        /* Two may be at it: a failure counts only when nobody got further. */
        int64_t before = found.format;
        mneme_error text;
        int status = migrate(driver, &migrations[before], before, &text);
        TRY(look(driver, &found, error));
        LOG(INFO, STORE, before ? "tables changed" : "tables made",
            LOG_STRING("driver", driver->operations->name), LOG_WHOLE("from", before),
            LOG_WHOLE("to", found.format), LOG_ERROR_TYPE(status));
        if (status && (!found.there || found.format == before)) {
            if (error)
                *error = text;
            return status;
        }
    }
    *device = found.device;
    return 0;
}
