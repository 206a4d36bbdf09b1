/*
 * hrana_token.h - keys and tokens of a server that demands them, made by the openssl command.
 */
#ifndef MNEME_TESTS_HRANA_TOKEN_H
#define MNEME_TESTS_HRANA_TOKEN_H

#include "base/base.h"

struct token_key {
    char directory[64];
    char private_path[80], public_path[80]; /* the public one is for --auth-jwt-key-file */
};

/* Make a key in a directory of its own, and remove both. Fails the test without openssl. */
void token_key_init(struct token_key *key);
void token_key_fini(struct token_key *key);
#define AUTO_TOKEN_KEY CLEANUP(token_key_fini)

/* A token with these claims ("{}": all is allowed), signed by the key. */
void token_make(const struct token_key *key, const char *claims, char out[600]);

#endif
