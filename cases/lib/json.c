// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "json.h"

/* Beyond this a JSON number loses bits in most readers. */
#define JSON_EXACT	(1ll << 53)

static void put(struct json *j, char c)
{
	if (j->len < j->size)
		j->text[j->len++] = c;
	else
		j->full = true;
}

static void puts_raw(struct json *j, const char *s)
{
	while (*s)
		put(j, *s++);
}

static void put_hex(struct json *j, u64 value, int digits)
{
	static const char hex[] = "0123456789abcdef";

	while (digits--)
		put(j, hex[value >> (4 * digits) & 15]);
}

/*
 * Anything but plain ASCII is escaped byte by byte: task names and the like may
 * hold any byte, and the line must be valid JSON whatever they hold.
 */
static void put_quoted(struct json *j, const char *s, size_t len)
{
	put(j, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\') {
			put(j, '\\');
			put(j, (char)c);
		} else if (c < 0x20 || c >= 0x7f) {
			puts_raw(j, "\\u00");
			put_hex(j, c, 2);
		} else {
			put(j, (char)c);
		}
	}
	put(j, '"');
}

static void key_of(struct json *j, const char *key)
{
	if (j->comma)
		put(j, ',');
	j->comma = true;
	if (key) {
		put_quoted(j, key, strlen(key));
		put(j, ':');
	}
}

void json_init(struct json *j, char *text, size_t size)
{
	*j = (struct json){ .text = text, .size = size };
}

void json_open(struct json *j, const char *key, char bracket)
{
	key_of(j, key);
	put(j, bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	put(j, bracket);
	j->comma = true;
}

void json_str(struct json *j, const char *key, const char *value)
{
	if (!value) {
		json_null(j, key);
		return;
	}
	key_of(j, key);
	put_quoted(j, value, strlen(value));
}

void json_bytes(struct json *j, const char *key, const char *bytes, size_t len)
{
	key_of(j, key);
	put_quoted(j, bytes, len);
}

void json_int(struct json *j, const char *key, long long value)
{
	char digits[24];
	u64 rest;
	int n = 0;

	if (value > JSON_EXACT || value < -JSON_EXACT) {
		json_hex(j, key, (u64)value);
		return;
	}
	key_of(j, key);
	rest = value < 0 ? -(u64)value : (u64)value;
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		put(j, '-');
	while (n--)
		put(j, digits[n]);
}

void json_hex(struct json *j, const char *key, u64 value)
{
	int digits = 1;

	while (digits < 16 && value >> (4 * digits))
		digits++;
	key_of(j, key);
	puts_raw(j, "\"0x");
	put_hex(j, value, digits);
	put(j, '"');
}

void json_bool(struct json *j, const char *key, bool value)
{
	key_of(j, key);
	puts_raw(j, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	key_of(j, key);
	puts_raw(j, "null");
}

void json_newline(struct json *j)
{
	put(j, '\n');
	j->comma = false;
}
