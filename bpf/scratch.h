/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Working memory for one hello, per CPU: too large for the stack, and global functions of 5.10 cannot be handed
 * pointers, so each looks it up by itself.
 *
 * Softirq, or another task on a preemptible kernel, may use the same memory half-way. Nothing can go wrong with memory
 * then, but the result would be of two hellos: whoever begins writes a ticket, and a result counts only if the ticket is
 * still there at the end. (5.10 has no atomic exchange that could lock.)
 */
#ifndef TLSNAP_SCRATCH_H
#define TLSNAP_SCRATCH_H

#include "programs.h"

/* A post-quantum ClientHello has 1.9 kB. A larger one is hashed in user space. */
#define TLSNAP_HASHED_HELLO_MAX 2048
/* Curl's string has 270 characters; 128 cipher suites and 64 extensions fit. Then at least 9 bytes of padding. */
#define TLSNAP_JA3_STRING_MAX 1024
#define TLSNAP_DIGEST_BLOCK 64

struct tlsnap_scratch {
	__u64 ticket;
	__u32 length; /* of the string */
	__u32 failed; /* what is there cannot be hashed here */
	__u32 groups_at, groups_length; /* list bodies within the hello */
	__u32 formats_at, formats_length;
	__u32 last; /* where the string's last block begins, with its padding */
	__u32 reserved;
	__u32 md5[4];
	__u32 sha256[8];
	__u32 schedule[64]; /* of SHA-256, for the block at hand */
	__u8 hello[TLSNAP_HASHED_HELLO_MAX + 256]; /* a read may begin at any checked offset and go on a little */
	__u8 string[TLSNAP_JA3_STRING_MAX + 2 * TLSNAP_DIGEST_BLOCK];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlsnap_scratch);
} scratch SEC(".maps");

static __always_inline struct tlsnap_scratch *get_scratch(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&scratch, &key);
}

/*
 * One access of two or eight bytes at any address of map memory. Clang, which sees an array of bytes, would make one of each:
 * the pointer to void keeps that from it. The kernels of x86-64 and arm64 allow such accesses.
 */
static __always_inline __u16 load_u16(const void *from)
{
	return *(const __u16 *)from;
}

static __always_inline void store_u64(void *to, __u64 value)
{
	*(__u64 *)to = value;
}

#endif
