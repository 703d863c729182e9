/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * JA3 of a ClientHello that lies whole in one packet and one TLS record. Anything unusual, and any inconsistent length,
 * is left to user space, which derives every fingerprint anyway; what is hashed here has to agree with it.
 */
#ifndef TLSNAP_JA3_H
#define TLSNAP_JA3_H

#include "decimal.h"
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

/* As it lies there, in network order. */
static __always_inline __u16 hello_raw16(struct tlsnap_scratch *memory, __u32 at)
{
	asm volatile("" : "+r"(at));
	return load_u16(&memory->hello[at & TLSNAP_OFFSET_MASK]);
}

static __always_inline __u32 hello_u16(struct tlsnap_scratch *memory, __u32 at)
{
	return bpf_ntohs(hello_raw16(memory, at));
}

/* Whether `numbers` more numbers of five digits and a separator each may follow. */
static __always_inline bool has_room(const struct tlsnap_scratch *memory, __u32 numbers)
{
	return memory->length + numbers * 6 + 8 <= TLSNAP_JA3_STRING_MAX;
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
	const struct tlsnap_decimals *table = get_decimals();
	struct tlsnap_scratch *memory = get_scratch();
	const __u16 *list;
	__u32 before, end;

	if (!memory || !table)
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
		if (2 * i >= length)
			break;
		end = append_number(memory, table, end, list[i]);
	}
	end_list(memory, before, end);
	return 0;
}

/* Appends the 8-bit numbers of the point formats: no GREASE is defined for them. */
__noinline int append_formats(__u32 at, __u32 length)
{
	const struct tlsnap_decimals *table = get_decimals();
	struct tlsnap_scratch *memory = get_scratch();
	__u32 before, end;

	if (!memory || !table)
		return -1;
	if (length > TLSNAP_FORMATS_MAX || !has_room(memory, length)) {
		memory->failed = 1;
		return -1;
	}
	before = end = memory->length;
	for (__u32 i = 0; i < TLSNAP_FORMATS_MAX; i++) {
		if (i >= length)
			break;
		end = append_number(memory, table, end, bpf_htons(hello_u8(memory, at + i)));
	}
	end_list(memory, before, end);
	return 0;
}

/* Appends the extension types, without GREASE, and notes where the two lists are that come next. */
__noinline int append_extensions(__u32 at, __u32 length)
{
	const struct tlsnap_decimals *table = get_decimals();
	struct tlsnap_scratch *memory = get_scratch();
	__u32 end = at + length;
	__u32 before, string_end;

	if (!memory || !table)
		return -1;
	if (!has_room(memory, TLSNAP_EXTENSIONS_MAX)) {
		memory->failed = 1;
		return -1;
	}
	before = string_end = memory->length;
	for (__u32 i = 0; i < TLSNAP_EXTENSIONS_MAX; i++) {
		__u32 size;
		__u16 type;

		if (at + 4 > end)
			break;
		type = hello_raw16(memory, at);
		size = hello_u16(memory, at + 2);
		if (size > end - at - 4)
			break;
		string_end = append_number(memory, table, string_end, type);
		if (type == bpf_htons(TLSNAP_EXTENSION_GROUPS)) {
			if (memory->groups_at || size < 2 || hello_u16(memory, at + 4) != size - 2)
				memory->failed = 1;
			memory->groups_at = at + 6;
			memory->groups_length = size - 2;
		} else if (type == bpf_htons(TLSNAP_EXTENSION_FORMATS)) {
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
	const struct tlsnap_decimals *table = get_decimals();
	struct tlsnap_scratch *memory = get_scratch();
	__u32 cursor, length;

	if (!memory || !table || size < TLSNAP_HELLO_SESSION_ID + 1 || size > TLSNAP_HASHED_HELLO_MAX)
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

	length = append_number(memory, table, 0, hello_raw16(memory, TLSNAP_HELLO_VERSION));
	/* A version with the value of GREASE is no GREASE: it is kept, and not by this. */
	if (length == 0)
		return -1;
	end_list(memory, 0, length);
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
