/*
 * verify.c - the deep check of a store file, in a child process.
 *
 * A damaged tree can end the process that walks it (LMDB checks its own pages with assertions, and
 * a truncated file raises SIGBUS). So a child does the walk and reports through a pipe, a message
 * at a time: one byte of type, two of size, the text. When the child dies, the parent says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/calls.h"
#include "api/handle.h"
#include "api/url.h"
#include "store/kv.h"

enum { MESSAGE_HEAD = 3 };

struct summary {
    int status;
    uint64_t records, bytes, findings;
    char text[MNEME_ERROR_TEXT_MAX];
};

/* ---- In the child ------------------------------------------------------------------------- */

static void write_all(int fd, const void *data, size_t size) {
    const uint8_t *at = data;
    while (size) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno != EINTR)
            _exit(1); /* the parent has gone */
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

static void send_message(int fd, char type, const void *data, size_t size) {
    uint8_t message[MESSAGE_HEAD + sizeof(struct summary)];
    size = size_min(size, sizeof(struct summary));
    message[0] = (uint8_t)type;
    message[1] = (uint8_t)(size >> 8);
    message[2] = (uint8_t)size;
    memcpy(message + MESSAGE_HEAD, data, size);
    write_all(fd, message, MESSAGE_HEAD + size);
}

struct child {
    int fd;
    struct packer *packer;
    struct dictionary **dictionaries; /* all of the store: they come first in the order of ids */
    size_t count;
};

static void child_finding(void *context, const char *text) {
    struct child *child = context;
    send_message(child->fd, 'f', text, strlen(text));
}

static int child_find(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                      mneme_error *error) {
    struct child *child = context;
    for (size_t i = 0; i < child->count; i++) {
        if (memcmp(dictionary_sha256(child->dictionaries[i]), ref, PACK_REF_SIZE) == 0) {
            *out = dictionary_hold(child->dictionaries[i]);
            return 0;
        }
    }
    return error_set(error, MNEME_CORRUPT, "the dictionary it was compressed with is missing");
}

static int child_keep_dictionary(struct child *child, const struct stored_record *record,
                                 mneme_error *error) {
    struct dictionary **grown = mem_resize(child->dictionaries, (child->count + 1) * sizeof *grown);
    if (!grown)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a dictionary");
    child->dictionaries = grown;
    TRY(dictionary_open(child->packer, 3, record, &grown[child->count], error));
    child->count++;
    return 0;
}

static int child_decode(void *context, const struct stored_record *record, mneme_error *error) {
    struct child *child = context;
    AUTO_ARENA struct arena arena = {0};
    struct slice plain;
    mneme_record out;
    if (record->kind == MNEME_DICTIONARY)
        return record->body.size ? child_keep_dictionary(child, record, error) : 0;
    int status = unpack(child->packer, record->body, child_find, child, &arena, &plain, error);
    if (status == 0)
        status = model_decode(record, plain, &arena, &out, error);
    if (status) {
        char text[ID_TEXT_SIZE];
        id_format(&record->id, text);
        return error_prefix(error, status, "%s %s", kind_name(record->kind), text);
    }
    return 0;
}

static int child_check(struct child *child, const char *path, struct summary *summary,
                       mneme_error *error) {
    struct pack_options packing = {.algorithm = PACK_ZSTD};
    struct kv_check check = {.finding = child_finding, .decode = child_decode, .context = child};
    TRY(packer_create(&packing, &child->packer, error));
    int status = kv_store_check(path, &check, error);
    summary->records = check.records;
    summary->bytes = check.bytes;
    summary->findings = check.findings;
    for (size_t i = 0; i < child->count; i++)
        dictionary_drop(child->dictionaries[i]);
    mem_free(child->dictionaries);
    packer_destroy(child->packer);
    return status;
}

static _Noreturn void child_run(int fd, const char *path) {
    struct child child = {.fd = fd};
    struct summary summary = {0};
    mneme_error error = {0};
    process_expect_fault();
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO); /* LMDB's own word on a bad page would confuse */
    summary.status = child_check(&child, path, &summary, &error);
    memcpy(summary.text, error.message, sizeof summary.text);
    send_message(fd, 's', &summary, sizeof summary);
    _exit(0);
}

/* ---- In the parent ------------------------------------------------------------------------ */

static bool read_all(int fd, void *data, size_t size) {
    uint8_t *at = data;
    while (size) {
        ssize_t n = read(fd, at, size);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        at += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Read messages until the child ends; false when it ended without its summary. */
static bool receive(int fd, mneme_finding *finding, void *context, uint64_t *findings,
                    struct summary *summary) {
    uint8_t head[MESSAGE_HEAD];
    char text[sizeof(struct summary) + 1];
    while (read_all(fd, head, sizeof head)) {
        size_t size = (size_t)head[1] << 8 | head[2];
        if (size > sizeof(struct summary) || !read_all(fd, text, size))
            return false;
        if (head[0] == 's' && size == sizeof *summary) {
            memcpy(summary, text, sizeof *summary);
            return true;
        }
        text[size] = 0;
        ++*findings;
        if (finding)
            finding(context, text);
    }
    return false;
}

/* What a child that died without a summary tells. */
static int child_died(int state, const char *path, mneme_finding *finding, void *context,
                      uint64_t *findings, mneme_error *error) {
    char text[MNEME_ERROR_TEXT_MAX];
    if (WIFSIGNALED(state))
        snprintf(text, sizeof text,
                 "the structure of the file is damaged: walking it ended with signal %d (%s)",
                 WTERMSIG(state), strsignal(WTERMSIG(state)));
    else
        snprintf(text, sizeof text, "the structure of the file is damaged: the walk broke off");
    ++*findings;
    if (finding)
        finding(context, text);
    return error_set(error, MNEME_CORRUPT, "%s: %s; restore it from a backup", path, text);
}

static int verify_in_child(const char *path, mneme_finding *finding, void *context,
                           mneme_verify_report *report, mneme_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, errno, "cannot start the check");
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        child_run(ends[1], path);
    }
    int failed = child < 0 ? errno : 0;
    close(ends[1]);
    uint64_t findings = 0;
    struct summary summary = {0};
    bool whole = !failed && receive(ends[0], finding, context, &findings, &summary);
    close(ends[0]);
    if (failed)
        return error_set_errno(error, failed, "cannot start the check");
    int state = 0, status;
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    if (whole) {
        summary.text[sizeof summary.text - 1] = 0;
        status = summary.status ? error_set(error, summary.status, "%s", summary.text) : 0;
    } else {
        status = child_died(state, path, finding, context, &findings, error);
    }
    if (report)
        *report = (mneme_verify_report){summary.records, summary.bytes, findings};
    return status;
}

int call_verify(const char *path, mneme_finding *finding, void *context,
                mneme_verify_report *report, mneme_error *error) {
    struct url url;
    if (!path || !*path)
        return error_set(error, MNEME_INVALID, "verify needs the path of a store");
    TRY(url_parse(path, &url, error));
    switch (url.kind) {
    case URL_KV: {
        int status = verify_in_child(url.path, finding, context, report, error);
        return url_explain(&url, status, error);
    }
    case URL_FILE:
        return verify_file(path, finding, context, report, error);
    case URL_MEM:
    case URL_REMOTE:
        break;
    }
    return error_set(error, MNEME_UNSUPPORTED,
                     "verify checks a file; open this store and use mneme_verify_records");
}
