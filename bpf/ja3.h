/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * JA3 of a ClientHello that lies whole in one packet and one TLS record. Anything unusual, and any inconsistent length,
 * is left to user space, which derives every fingerprint anyway; what is hashed here has to agree with it.
 */
#ifndef TLSNAP_JA3_H
#define TLSNAP_JA3_H

#include "digest.h"

/* Bounds for the verifier, beyond what any client sends; more of either is left to user space. */
#define TLSNAP_LIST_MAX 96
#define TLSNAP_EXTENSIONS_MAX 40
#define TLSNAP_FORMATS_MAX 4
#define TLSNAP_OFFSET_MASK (TLSNAP_HASHED_HELLO_MAX - 1)

/* RFC 8446 section 4.1.2. */
#define TLSNAP_HELLO_VERSION 4
#define TLSNAP_HELLO_SESSION_ID 38
#define TLSNAP_EXTENSION_GROUPS 10
#define TLSNAP_EXTENSION_FORMATS 11

static __always_inline __u32 hello_u8(struct tlsnap_scratch *memory, __u32 at)
{
	/* The mask says to the verifier what the checked lengths say to the reader. */
	asm volatile("" : "+r"(at));
	return memory->hello[at & TLSNAP_OFFSET_MASK];
}

static __always_inline __u32 hello_u16(struct tlsnap_scratch *memory, __u32 at)
{
	asm volatile("" : "+r"(at));
	at &= TLSNAP_OFFSET_MASK;
	return (__u32)memory->hello[at] << 8 | memory->hello[at + 1];
}

/*
 * 1 where `value` is above `limit`, without a branch: clang would turn the comparison of numbers below 2^31 into one, and
 * the verifier would follow both ways for each number of each list.
 */
static __always_inline __u32 is_above(__u32 value, __u32 limit)
{
	__u32 difference = limit - value;

	asm volatile("" : "+r"(difference));
	return difference >> 31;
}

/* 0 for RFC 8701's 0x0a0a, 0x1a1a, ... 0xfafa (both low nibbles are 10, and the bytes are equal), else 1. */
static __always_inline __u32 is_not_grease(__u32 value)
{
	return is_above(((value & 0x0f0f) ^ 0x0a0a) | ((value >> 8) ^ (value & 0xff)), 0);
}

/* value / 10 for values below 2^16, without the division that BPF cannot replace by a multiplication itself. */
static __always_inline __u64 tenth(__u64 value)
{
	return value * 52429 >> 19;
}

/* Whether `numbers` more numbers of five digits and a separator each may follow. */
static __always_inline bool has_room(const struct tlsnap_scratch *memory, __u32 numbers)
{
	return memory->length + numbers * 6 + 8 <= TLSNAP_JA3_STRING_MAX;
}

/*
 * Appends a number in decimal and a separator, or nothing where `kept` is 0 and not 1: five digits are made, the leading zeros
 * shifted out, and all is written at once. Without branches, or the verifier would follow each outcome for each number.
 * The caller has seen that there is room.
 */
static __always_inline void append_number(struct tlsnap_scratch *memory, __u64 value, __u8 separator, __u32 kept)
{
	__u64 tens = tenth(value), hundreds = tenth(tens), thousands = tenth(hundreds), most = tenth(thousands);
	__u32 digits = 1 + is_above(value, 9) + is_above(value, 99) + is_above(value, 999) + is_above(value, 9999);
	__u64 text = 0x3030303030ULL | most | (thousands - 10 * most) << 8 | (hundreds - 10 * thousands) << 16 |
		     (tens - 10 * hundreds) << 24 | (value - 10 * tens) << 32;
	__u32 at = memory->length;

	text = text >> ((5 - digits) * 8) | (__u64)separator << (digits * 8);
	asm volatile("" : "+r"(at));
	at &= TLSNAP_JA3_STRING_MAX - 1;
	__builtin_memcpy(&memory->string[at], &text, sizeof(text));
	memory->length = at + (digits + 1) * kept;
}

/* Ends a list: the separator of its last number becomes a comma; an empty list is a comma alone. */
static __always_inline void end_list(struct tlsnap_scratch *memory, __u32 before)
{
	__u32 at = memory->length;

	at -= at != before;
	asm volatile("" : "+r"(at));
	at &= TLSNAP_JA3_STRING_MAX - 1;
	memory->string[at] = ',';
	memory->length = at + 1;
}

/* Appends the 16-bit numbers of a list of `length` bytes, without GREASE. */
__noinline int append_list(__u32 at, __u32 length)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 before;

	if (!memory)
		return -1;
	if (length & 1 || length > 2 * TLSNAP_LIST_MAX || !has_room(memory, length / 2)) {
		memory->failed = 1;
		return -1;
	}
	before = memory->length;
	for (__u32 i = 0; i < TLSNAP_LIST_MAX; i++) {
		__u32 value;

		if (2 * i >= length)
			break;
		value = hello_u16(memory, at + 2 * i);
		append_number(memory, value, '-', is_not_grease(value));
	}
	end_list(memory, before);
	return 0;
}

/* Appends the 8-bit numbers of the point formats: no GREASE is defined for them. */
__noinline int append_formats(__u32 at, __u32 length)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 before;

	if (!memory)
		return -1;
	if (length > TLSNAP_FORMATS_MAX || !has_room(memory, length)) {
		memory->failed = 1;
		return -1;
	}
	before = memory->length;
	for (__u32 i = 0; i < TLSNAP_FORMATS_MAX; i++) {
		if (i >= length)
			break;
		append_number(memory, hello_u8(memory, at + i), '-', 1);
	}
	end_list(memory, before);
	return 0;
}

/* Appends the extension types, without GREASE, and notes where the two lists are that come next. */
__noinline int append_extensions(__u32 at, __u32 length)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 end = at + length;
	__u32 before;

	if (!memory)
		return -1;
	if (!has_room(memory, TLSNAP_EXTENSIONS_MAX)) {
		memory->failed = 1;
		return -1;
	}
	before = memory->length;
	for (__u32 i = 0; i < TLSNAP_EXTENSIONS_MAX; i++) {
		__u32 type, size;

		if (at + 4 > end)
			break;
		type = hello_u16(memory, at);
		size = hello_u16(memory, at + 2);
		if (size > end - at - 4)
			break;
		append_number(memory, type, '-', is_not_grease(type));
		if (type == TLSNAP_EXTENSION_GROUPS) {
			if (memory->groups_at || size < 2 || hello_u16(memory, at + 4) != size - 2)
				memory->failed = 1;
			memory->groups_at = at + 6;
			memory->groups_length = size - 2;
		} else if (type == TLSNAP_EXTENSION_FORMATS) {
			if (memory->formats_at || size < 1 || hello_u8(memory, at + 4) != size - 1)
				memory->failed = 1;
			memory->formats_at = at + 5;
			memory->formats_length = size - 1;
		}
		at += 4 + size;
	}
	if (at != end)
		memory->failed = 1;
	end_list(memory, before);
	return 0;
}

/*
 * Writes the JA3 string of the handshake message of `size` bytes at `at` of the packet into scratch memory:
 * version, cipher suites, extensions, groups, point formats. Returns 0 where there is one.
 */
__noinline int ja3_string(struct __sk_buff *skb, __u32 at, __u32 size)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 cursor, length;

	if (!memory || size < TLSNAP_HELLO_SESSION_ID + 1 || size > TLSNAP_HASHED_HELLO_MAX)
		return -1;
	memory->length = 0;
	memory->failed = 0;
	memory->groups_at = 0;
	memory->groups_length = 0;
	memory->formats_at = 0;
	memory->formats_length = 0;
	length = ((size - 1) & TLSNAP_OFFSET_MASK) + 1;
	if (bpf_skb_load_bytes(skb, at, memory->hello, length))
		return -1;
	/* The message says itself how long it is. */
	if (hello_u8(memory, 1) != 0 || hello_u16(memory, 2) != size - 4)
		return -1;

	append_number(memory, hello_u16(memory, TLSNAP_HELLO_VERSION), ',', 1);
	cursor = TLSNAP_HELLO_SESSION_ID + 1 + hello_u8(memory, TLSNAP_HELLO_SESSION_ID);
	if (cursor + 2 > size)
		return -1;
	length = hello_u16(memory, cursor);
	cursor += 2;
	if (length > size - cursor)
		return -1;
	append_list(cursor, length);
	cursor += length;
	if (cursor + 1 > size)
		return -1;
	cursor += 1 + hello_u8(memory, cursor);
	if (cursor > size)
		return -1;
	/* A ClientHello may end before the extensions (RFC 5246 section 7.4.1.2). */
	length = 0;
	if (cursor + 2 <= size) {
		length = hello_u16(memory, cursor);
		cursor += 2;
	}
	if (length != size - cursor)
		return -1;
	append_extensions(cursor, length);
	append_list(memory->groups_at, memory->groups_length);
	append_formats(memory->formats_at, memory->formats_length);
	/* The last list has no comma behind it. */
	memory->length--;
	return memory->failed ? -1 : 0;
}

#endif
