/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVM_HIL_UTIL_H
#define KVM_HIL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint64_t gpa_t;

#define PAGE_SIZE	4096ul
#define PAGE_SHIFT	12

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1ull << (n))

#define KIB(n)		((u64)(n) << 10)
#define MIB(n)		((u64)(n) << 20)
#define GIB(n)		((u64)(n) << 30)
#define PAGES(n)	((u64)(n) << PAGE_SHIFT)

#endif /* KVM_HIL_UTIL_H */
