/*
 * server_database.h - databases on a real server, which the test program starts once it needs one
 * and which ends with it.
 */
#ifndef MNEME_TESTS_SERVER_DATABASE_H
#define MNEME_TESTS_SERVER_DATABASE_H

#include "base/base.h"

struct server_database {
    char origin[64], name[32]; /* of the server; its namespace there */
    char url[128];             /* both in one: origin/dev/name, which has no protobuf */
};

/* A database that nothing is in yet. From the thread that ends the program only, and not
 * in its children. Errors as sqld_start and net_call. */
int server_database_make(struct server_database *out, mneme_error *error);

#endif
