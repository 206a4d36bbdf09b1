/*
 * hrana_token.c - Ed25519 keys and JSON Web Tokens (RFC 7519, RFC 8037).
 */
#include "support/hrana_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/sql/hrana/base64.h"

static void run(const char *command) {
    if (system(command) != 0)
        fail_msg("this failed, is openssl there? %s", command);
}

void token_key_init(struct token_key *key) {
    char command[400];
    snprintf(key->directory, sizeof key->directory, "/tmp/mneme-token-XXXXXX");
    assert_non_null(mkdtemp(key->directory));
    snprintf(key->private_path, sizeof key->private_path, "%s/private", key->directory);
    snprintf(key->public_path, sizeof key->public_path, "%s/public", key->directory);
    snprintf(command, sizeof command, "openssl genpkey -algorithm ed25519 -out %s",
             key->private_path);
    run(command);
    snprintf(command, sizeof command, "openssl pkey -in %s -pubout -out %s", key->private_path,
             key->public_path);
    run(command);
}

void token_key_fini(struct token_key *key) {
    static const char *const names[] = {"private", "public", "text", "signature"};
    char path[100];
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", key->directory, names[i]);
        unlink(path);
    }
    rmdir(key->directory);
}

/* The alphabet for URLs (RFC 4648, section 5), without padding. */
static void put_part(struct buf *b, struct slice bytes) {
    size_t from = b->size;
    base64_put(b, bytes, false);
    for (size_t i = from; i < b->size; i++)
        b->data[i] = b->data[i] == '+' ? '-' : b->data[i] == '/' ? '_' : b->data[i];
}

static void write_text(const char *path, struct slice text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    assert_int_equal(fclose(file), 0);
}

static size_t read_bytes(const char *path, uint8_t *out, size_t size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t got = fread(out, 1, size, file);
    fclose(file);
    return got;
}

void token_make(const struct token_key *key, const char *claims, char out[600]) {
    char text[100], signature[100], command[600];
    uint8_t bytes[100];
    AUTO_BUF struct buf b = BUF_INIT(600);
    put_part(&b, slice_of_string("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}"));
    buf_append_byte(&b, '.');
    put_part(&b, slice_of_string(claims));
    snprintf(text, sizeof text, "%s/text", key->directory);
    snprintf(signature, sizeof signature, "%s/signature", key->directory);
    write_text(text, buf_slice(&b));
    snprintf(command, sizeof command, "openssl pkeyutl -sign -inkey %s -rawin -in %s -out %s",
             key->private_path, text, signature);
    run(command);
    buf_append_byte(&b, '.');
    put_part(&b, slice_of(bytes, read_bytes(signature, bytes, sizeof bytes)));
    buf_append_byte(&b, 0);
    assert_int_equal(b.status, 0);
    memcpy(out, b.data, b.size);
}
