/*
 * drivers.h - the drivers that there are for the sql store (sql.h), for who opens one.
 */
#ifndef MNEME_STORE_DRIVERS_H
#define MNEME_STORE_DRIVERS_H

#include "store/sql/hrana.h"
#include "store/sql/sqlite.h"

#endif
