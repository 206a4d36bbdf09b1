/*
 * check_marks.c - the deep check of what is marked of records, and of the state of who syncs.
 */
#include "store/kv/check_impl.h"

struct marks_checker {
    struct kv_check *check;
    struct kv_env *env;
    MDB_txn *txn;
    bool sharing;
};

static const char *mark_text(enum mark mark) {
    return mark == MARK_CLEAN  ? "clean"
           : mark == MARK_BASE ? "changed"
           : mark == MARK_GONE ? "gone"
                               : "held";
}

static bool is_in(const struct marks_checker *c, MDB_dbi table, MDB_val key) {
    MDB_val value;
    return mdb_get(c->txn, table, &key, &value) == 0;
}

static void wrong(struct marks_checker *c, enum mark mark, const struct record_name *name,
                  const char *how) {
    char text[ID_TEXT_SIZE];
    id_format(&name->id, text);
    check_finding(c->check, "%s %s is marked as %s, and %s", store_kind_name(name->kind), text,
                  mark_text(mark), how);
}

static void check_base(struct marks_checker *c, const struct record_name *name,
                       struct slice bytes) {
    AUTO_ARENA struct arena arena = {0};
    struct stored_record base;
    mneme_error error;
    if (kv_base_load(c->env, name, bytes, &arena, &base, &error))
        wrong(c, MARK_BASE, name, error.message);
}

static void check_entry(struct marks_checker *c, enum mark mark, MDB_val key, MDB_val value) {
    struct record_name name;
    struct kv_mark found = {0};
    bool first;
    if (!kv_record_parse(key, &name.kind, &name.id, &first) || !first) {
        check_finding(c->check, "a key of %zu bytes among what is marked as %s is no record's",
                      key.mv_size, mark_text(mark));
        return;
    }
    bool there = is_in(c, c->env->records, key), gone = is_in(c, c->env->marks.gone, key);
    if (!c->sharing)
        wrong(c, mark, &name, "this store is not shared");
    if (!kv_mark_parse(mark, value, &found))
        wrong(c, mark, &name, "the entry is damaged");
    else if (mark == MARK_BASE)
        check_base(c, &name, found.base);
    if (mark == MARK_GONE ? there : !there && !(mark == MARK_HELD && gone))
        wrong(c, mark, &name, there ? "is there" : "is not there");
    if (mark == MARK_BASE && is_in(c, c->env->marks.clean, key))
        wrong(c, mark, &name, "as clean too");
}

static int check_table(struct marks_checker *c, enum mark mark, mneme_error *error) {
    MDB_cursor *cursor = NULL;
    struct key_order order = {0};
    MDB_val key, value;
    int rc = mdb_cursor_open(c->txn, kv_mark_table(c->env, mark), &cursor);
    if (rc)
        return kv_fail(error, rc, "cannot check what is marked as shared");
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (!key_rises(&order, key)) {
            rc = MDB_CORRUPTED;
            break;
        }
        check_entry(c, mark, key, value);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : kv_fail(error, rc, "cannot check what is marked as shared");
}

int check_marks(struct kv_env *env, MDB_txn *txn, const struct kv_state *state,
                struct kv_check *check, mneme_error *error) {
    struct marks_checker c = {.check = check, .env = env, .txn = txn, .sharing = state->sharing};
    struct slice bytes;
    mneme_error damage;
    if (env->format < KV_FORMAT)
        return 0; /* it has none */
    if (kv_shared_get(txn, env->main, &bytes, &damage))
        check_finding(check, "%s", damage.message);
    TRY(check_table(&c, MARK_CLEAN, error));
    TRY(check_table(&c, MARK_BASE, error));
    TRY(check_table(&c, MARK_GONE, error));
    return check_table(&c, MARK_HELD, error);
}
