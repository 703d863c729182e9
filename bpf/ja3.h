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
#define TLSNAP_HELLO_TYPE 1 /* client_hello */
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
	return bpf_ntohs(load_u16(&memory->hello[at & TLSNAP_OFFSET_MASK]));
}

/*
 * All ones for a number to be kept, 0 for GREASE, RFC 8701's 0x0a0a, 0x1a1a, ... 0xfafa: what the high nibble of the low byte
 * alone would make of it. Without a branch, or the verifier would follow both ways for each number of each list.
 */
static __always_inline __u32 not_grease(__u32 value)
{
	__u32 difference = -(value ^ ((value & 0xf0) * 0x101 + 0x0a0a));

	asm volatile("" : "+r"(difference));
	return (__s32)difference >> 31;
}

/* Whether `numbers` more numbers of five digits and a separator each may follow. */
static __always_inline bool has_room(const struct tlsnap_scratch *memory, __u32 numbers)
{
	return memory->length + numbers * 6 + 8 <= TLSNAP_JA3_STRING_MAX;
}

/* Three copies of a number below 2^20, 21 bits apart, and the bit on top of each. */
#define TLSNAP_THRICE (1ULL | 1ULL << 21 | 1ULL << 42)
#define TLSNAP_THRICE_TOP (TLSNAP_THRICE << 20)
/* Added to the copies, these set the bit on top of the first from 10 on, of the second from 100, of the third from 1000. */
#define TLSNAP_THRICE_LIMITS (TLSNAP_THRICE_TOP - (10ULL | 100ULL << 21 | 1000ULL << 42))

/*
 * Writes a number below 2^16 in decimal and a dash at `at` of the string, and returns where the next one goes: `at` itself
 * where `kept` is 0 and not all ones. Without branches, or the verifier would follow each outcome for each number, and
 * without divisions, which BPF does not replace by multiplications: all digits are made at once, two in each multiplication,
 * the leading zeros shifted out, and eight bytes written. The caller has seen that there is room.
 */
static __always_inline __u32 append_number(struct tlsnap_scratch *memory, __u32 at, __u64 value, __u32 kept)
{
	__u64 first = value * 429497 >> 32; /* value / 10000 */
	__u64 rest = value - first * 10000;
	__u64 hundreds = rest * 5243 >> 19; /* rest / 100 */
	__u64 pairs = hundreds | (rest - hundreds * 100) << 16;
	__u64 tens = (pairs * 103 >> 10) & 0x000f000f; /* each of both / 10 */
	__u64 digits = tens | (pairs - tens * 10) << 8;
	__u64 text = 0x2d3030303030ULL | first | digits << 8;
	__u64 more = ((value * TLSNAP_THRICE + TLSNAP_THRICE_LIMITS) & TLSNAP_THRICE_TOP) * TLSNAP_THRICE >> 62;

	more += (first + 7) >> 3; /* digits beyond the first; `first` is 0 to 6 */
	asm volatile("" : "+r"(at));
	at &= TLSNAP_JA3_STRING_MAX - 1;
	store_u64(&memory->string[at], text >> (32 - more * 8));
	return at + ((more + 2) & kept);
}

/* Ends the list that began at `before`: the dash behind its last number becomes a comma; an empty list is a comma alone. */
static __always_inline void end_list(struct tlsnap_scratch *memory, __u32 before, __u32 at)
{
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
	const __u16 *list;
	__u32 before, end;

	if (!memory)
		return -1;
	if (length & 1 || length > 2 * TLSNAP_LIST_MAX || !has_room(memory, length / 2)) {
		memory->failed = 1;
		return -1;
	}
	before = end = memory->length;
	asm volatile("" : "+r"(at));
	/* The room behind the hello is as long as a list. */
	list = (const __u16 *)&memory->hello[at & TLSNAP_OFFSET_MASK];
	for (__u32 i = 0; i < TLSNAP_LIST_MAX; i++) {
		__u32 value;

		if (2 * i >= length)
			break;
		value = bpf_ntohs(list[i]);
		end = append_number(memory, end, value, not_grease(value));
	}
	end_list(memory, before, end);
	return 0;
}

/* Appends the 8-bit numbers of the point formats: no GREASE is defined for them. */
__noinline int append_formats(__u32 at, __u32 length)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 before, end;

	if (!memory)
		return -1;
	if (length > TLSNAP_FORMATS_MAX || !has_room(memory, length)) {
		memory->failed = 1;
		return -1;
	}
	before = end = memory->length;
	for (__u32 i = 0; i < TLSNAP_FORMATS_MAX; i++) {
		if (i >= length)
			break;
		end = append_number(memory, end, hello_u8(memory, at + i), ~0U);
	}
	end_list(memory, before, end);
	return 0;
}

/* Appends the extension types, without GREASE, and notes where the two lists are that come next. */
__noinline int append_extensions(__u32 at, __u32 length)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 end = at + length;
	__u32 before, string_end;

	if (!memory)
		return -1;
	if (!has_room(memory, TLSNAP_EXTENSIONS_MAX)) {
		memory->failed = 1;
		return -1;
	}
	before = string_end = memory->length;
	for (__u32 i = 0; i < TLSNAP_EXTENSIONS_MAX; i++) {
		__u32 type, size;

		if (at + 4 > end)
			break;
		type = hello_u16(memory, at);
		size = hello_u16(memory, at + 2);
		if (size > end - at - 4)
			break;
		string_end = append_number(memory, string_end, type, not_grease(type));
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
	end_list(memory, before, string_end);
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
	/* The message says itself what it is, and how long. */
	if (hello_u8(memory, 0) != TLSNAP_HELLO_TYPE || hello_u8(memory, 1) != 0 || hello_u16(memory, 2) != size - 4)
		return -1;

	end_list(memory, 0, append_number(memory, 0, hello_u16(memory, TLSNAP_HELLO_VERSION), ~0U));
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
