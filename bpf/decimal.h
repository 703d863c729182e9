/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The decimal texts of the 65,536 numbers that a JA3 string can hold. To make one takes 6 ns and more, and a hello has dozens:
 * each is made once, when it is first met, and looked up from then on. Half a megabyte, of which a host uses a few lines.
 */
#ifndef TLSNAP_DECIMAL_H
#define TLSNAP_DECIMAL_H

#include "scratch.h"

/*
 * For each number as it lies in a hello (two bytes in network order) its text: up to five digits and a dash in the lower bytes, in
 * the order in which they are stored, and the count of these characters in the uppermost byte; 0 where the number was not met yet.
 * GREASE (RFC 8701) has no characters: writing it changes nothing.
 */
struct tlsnap_decimals {
	__u64 text[1 << 16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlsnap_decimals);
} decimals SEC(".maps");

static __always_inline struct tlsnap_decimals *get_decimals(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&decimals, &key);
}

/* All ones for a number to be kept, 0 for 0x0a0a, 0x1a1a, ... 0xfafa: what the high nibble of the low byte alone would make of it. */
static __always_inline __u64 not_grease(__u32 value)
{
	return value == (value & 0xf0) * 0x101 + 0x0a0a ? 0 : ~0ULL;
}

/* Without divisions, which BPF does not replace by multiplications. CPUs that do this at the same time write the same. */
__noinline int make_decimal(__u32 number)
{
	struct tlsnap_decimals *table = get_decimals();
	__u64 value = bpf_ntohs(number & 0xffff);
	__u64 first = value * 429497 >> 32; /* value / 10000 */
	__u64 rest = value - first * 10000;
	__u64 hundreds = rest * 5243 >> 19; /* rest / 100 */
	__u64 pairs = hundreds | (rest - hundreds * 100) << 16;
	__u64 tens = (pairs * 103 >> 10) & 0x000f000f; /* each of both / 10 */
	__u64 digits = tens | (pairs - tens * 10) << 8;
	__u64 text = 0x2d3030303030ULL | first | digits << 8;
	__u64 more = (value > 9) + (value > 99) + (value > 999) + (value > 9999);

	if (!table)
		return -1;
	table->text[number & 0xffff] = text >> (32 - more * 8) | ((more + 2) & not_grease(value)) << 56;
	return 0;
}

/*
 * Writes a number, in network order, and a dash at `at` of the string, and returns where the next one goes: `at` itself for
 * GREASE. The caller has seen that there is room for eight bytes.
 */
static __always_inline __u32 append_number(struct tlsnap_scratch *memory, const struct tlsnap_decimals *table, __u32 at,
					   __u16 number)
{
	__u64 text = table->text[number];

	if (!text) {
		make_decimal(number);
		text = table->text[number];
	}
	asm volatile("" : "+r"(at));
	at &= TLSNAP_JA3_STRING_MAX - 1;
	store_u64(&memory->string[at], text);
	return at + (text >> 56);
}

#endif
