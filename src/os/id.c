/*
 * id.c - random bytes, and UUIDv7 ids that rise within a process.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#include "os/os.h"

int random_bytes(void *out, size_t size, mneme_error *error) {
    uint8_t *at = out;
    while (size) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(error, errno, "cannot read random bytes");
        at += got;
        size -= (size_t)got;
    }
    return 0;
}

/* A stock of random bytes: one system call for many ids. Guarded by id_mutex, as is id_last.
 * A child after fork() must not repeat its parent's ids, so the stock remembers its process. */
static pthread_mutex_t id_mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t id_last; /* 48 bits of milliseconds and the 12-bit counter: 60 bits */
static uint8_t id_stock[512];
static size_t id_stock_left;
static pid_t id_stock_owner;

/* A fork() on another thread must not leave the child with the mutex locked for ever. */
static pthread_once_t id_once = PTHREAD_ONCE_INIT;
static void id_lock(void) {
    pthread_mutex_lock(&id_mutex);
}
static void id_unlock(void) {
    pthread_mutex_unlock(&id_mutex);
}
static void id_register(void) {
    pthread_atfork(id_lock, id_unlock, id_unlock);
}

static int id_random(uint64_t *out, mneme_error *error) {
    if (id_stock_left < sizeof *out || id_stock_owner != getpid()) {
        TRY(random_bytes(id_stock, sizeof id_stock, error));
        id_stock_left = sizeof id_stock;
        id_stock_owner = getpid();
    }
    id_stock_left -= sizeof *out;
    memcpy(out, id_stock + id_stock_left, sizeof *out);
    return 0;
}

static void id_write(mneme_id *out, uint64_t time_and_counter, uint64_t random) {
    put_be64(out->bytes, (time_and_counter >> 12) << 16 | 0x7000 | (time_and_counter & 0xfff));
    put_be64(out->bytes + 8, (random >> 2) | UINT64_C(1) << 63);
}

/* RFC 9562, section 6.2, method 1: the counter starts at a random place with its top bit clear
 * each millisecond, so that it has room; when it runs over it carries into the time. */
int id_make(uint64_t millis, mneme_id *out, mneme_error *error) {
    uint64_t random = 0, counter = 0;
    pthread_once(&id_once, id_register);
    id_lock();
    int status = id_random(&random, error);
    if (status == 0)
        status = id_random(&counter, error);
    if (status == 0 && millis) {
        id_write(out, millis << 12 | (counter & 0xfff), random);
    } else if (status == 0) {
        uint64_t now = (uint64_t)clock_wall_us() / 1000;
        uint64_t next = now << 12 | (counter & 0x7ff);
        if (next >> 12 <= id_last >> 12)
            next = id_last + 1;
        id_last = next;
        id_write(out, next, random);
    }
    id_unlock();
    return status;
}

void id_format(const mneme_id *id, char text[ID_TEXT_SIZE]) {
    static const char hex[] = "0123456789abcdef";
    char *to = text;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = hex[id->bytes[i] >> 4];
        *to++ = hex[id->bytes[i] & 15];
    }
    *to = 0;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int id_parse(mneme_text text, mneme_id *id, mneme_error *error) {
    mneme_id parsed = {{0}};
    bool dashed = text.size == ID_TEXT_SIZE - 1;
    bool good = dashed || text.size == 32;
    size_t at = 0;
    for (size_t i = 0; good && i < sizeof parsed.bytes; i++) {
        if (dashed && (i == 4 || i == 6 || i == 8 || i == 10))
            good = text.data[at++] == '-';
        int high = hex_digit(text.data[at]), low = hex_digit(text.data[at + 1]);
        good = good && high >= 0 && low >= 0;
        parsed.bytes[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
        at += 2;
    }
    if (!good)
        return error_set(
            error, MNEME_INVALID,
            "\"%.*s\" is not an id; ids look like 01890a5d-ac96-774b-bcce-b302099a8057",
            (int)size_min(text.size, 64), text.data ? text.data : "");
    *id = parsed;
    return 0;
}
