/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A JSON writer over a fixed buffer.
 *
 * It allocates nothing and calls nothing, so a signal handler may use it.  What
 * does not fit is dropped and sets @full; a buffer is never overrun.
 */
#ifndef KVM_HIL_JSON_H
#define KVM_HIL_JSON_H

#include "util.h"

struct json {
	char *text;
	size_t size;
	size_t len;
	bool comma;
	bool full;
};

void json_init(struct json *j, char *text, size_t size);

/* A NULL key is for members of an array and for the outermost value. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_str(struct json *j, const char *key, const char *value);
/* Any bytes, NUL too: each is the character of that number. */
void json_bytes(struct json *j, const char *key, const char *bytes, size_t len);
void json_int(struct json *j, const char *key, long long value);
void json_hex(struct json *j, const char *key, u64 value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

/* Ends the line; the text is then @len bytes long, newline included. */
void json_newline(struct json *j);

#endif /* KVM_HIL_JSON_H */
