/*
 * codec.h - how records become bytes: the compact encoding, JSON, and compression.
 */
#ifndef MNEME_CODEC_H
#define MNEME_CODEC_H

#include "codec/json.h"
#include "codec/pack.h"
#include "codec/wire.h"

#endif
