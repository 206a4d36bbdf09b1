/*
 * unpack_fuzz.c - any bytes as a packed body, with a dictionary at hand.
 *
 * When the input names PACK_ZSTD_DICTIONARY, the target fills in its dictionary's reference, which
 * no fuzzer would guess.
 */
#include <stdlib.h>

#include "codec/pack.h"
#include "codec/wire.h"

static void require(bool condition) {
    if (!condition)
        abort();
}

static struct packer *packer;
static struct dictionary *dictionary;

static void prepare(void) {
    static const char content[] =
        "{\"tool\":\"get_user_details\",\"parameters\":{\"user_id\":\"\"},\"result\":{\"kind\":"
        "\"success\",\"output\":\"reservation flight passenger baggage insurance departure\"}}";
    const struct pack_options options = {.algorithm = PACK_ZSTD_DICTIONARY, .min_bytes = 1};
    if (packer)
        return;
    require(packer_create(&options, &packer, NULL) == 0);
    require(dictionary_create(slice_of(content, sizeof content), 3, &dictionary, NULL) == 0);
}

static int find(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                mneme_error *error) {
    (void)context;
    if (memcmp(ref, dictionary_sha256(dictionary), PACK_REF_SIZE) != 0)
        return error_set(error, MNEME_NOT_FOUND, "no such dictionary");
    *out = dictionary_hold(dictionary);
    return 0;
}

/* The input, with the reference of our dictionary where one belongs. */
static void put_packed(struct buf *b, const uint8_t *data, size_t size) {
    buf_append(b, data, size);
    if (size == 0 || data[0] != PACK_ZSTD_DICTIONARY)
        return;
    struct wire_reader r = wire_reader_of(slice_of(data + 1, size - 1));
    wire_get_varint(&r);
    size_t at = (size_t)(r.at - data);
    if (!r.bad && size - at >= PACK_REF_SIZE)
        memcpy(b->data + at, dictionary_sha256(dictionary), PACK_REF_SIZE);
}

static void check_unpack(struct slice packed) {
    AUTO_ARENA struct arena arena = {0};
    struct slice plain = {0};
    size_t plain_size = 0;
    mneme_error error;
    int sized = packed_plain_size(packed, &plain_size, NULL);
    int status = unpack(packer, packed, find, NULL, &arena, &plain, &error);
    if (status) {
        require(status == MNEME_CORRUPT || status == MNEME_NOT_FOUND);
        require(error.code == status && error.message[0]);
        return;
    }
    require(sized == 0 && plain.size == plain_size && plain_size <= PACK_PLAIN_MAX);
    require(plain_size <= 1 << 20 || packed.data[0] == PACK_RAW ||
            plain_size / 1000 <= packed.size);
}

static void check_round_trip(struct slice plain) {
    AUTO_BUF struct buf packed = BUF_INIT(1 << 24);
    AUTO_ARENA struct arena arena = {0};
    struct slice again = {0};
    require(pack(packer, dictionary, plain, &packed, NULL) == 0);
    require(packed.size <= plain.size + 1);
    require(unpack(packer, buf_slice(&packed), find, NULL, &arena, &again, NULL) == 0);
    require(slice_equal(again, plain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    prepare();
    AUTO_BUF struct buf packed = BUF_INIT(1 << 24);
    put_packed(&packed, data, size);
    check_unpack(buf_slice(&packed));
    check_round_trip(slice_of(data, size));
    return 0;
}
