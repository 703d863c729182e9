/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Maps, tunables, counters and the ring: what every program uses. */
#ifndef TLSNAP_PROGRAMS_H
#define TLSNAP_PROGRAMS_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "kernel.h"
#include "tlsnap.h"

/* Set by user space before loading; the verifier drops the branches that they rule out. */

/*
 * 1: walk the task through BTF pointers (bpf_get_current_task_btf), which lockdown=confidentiality allows too.
 * 0: walk it by bpf_probe_read_kernel. Kernels before 5.18 have only this for cgroup programs.
 */
const volatile __u32 tlsnap_task_btf = 0;
/*
 * 1: the bpf_probe_read helpers may be called, which executable paths and command lines need. lockdown=confidentiality
 * forbids those that read the kernel, and libbpf then takes none of them to exist.
 */
const volatile __u32 tlsnap_probe_read = 1;
/* Inode of the only network namespace whose connections are followed; 0 for all. */
const volatile __u32 tlsnap_netns = 0;
/* 1: only connections of processes in `scoped_processes` are followed. */
const volatile __u32 tlsnap_subtree = 0;
/* Bits by enum tlsnap_role of the ends that are followed; 0 for both. */
const volatile __u32 tlsnap_roles = 0;
/* Only connections with one of these ports at either end are followed, if there are any. */
const volatile __u32 tlsnap_port_count = 0;
const volatile __u16 tlsnap_ports[TLSNAP_PORTS_MAX] = {};
/* Data segments per direction and search in which a hello must begin: 24 found CONNECT, SMTP and PostgreSQL. */
const volatile __u32 tlsnap_segment_budget = 24;
/* 1: records go into slots, of which there are so many, and no process reads the ring (recorder.h). */
const volatile __u32 tlsnap_recording = 0;
const volatile __u32 tlsnap_slot_count = 1;
/* Bytes in the ring from which on the reader is woken; before that it looks by itself every few milliseconds. */
const volatile __u64 tlsnap_wakeup_bytes = 4 << 20;

/*
 * Never read: clang writes BTF only for types that something refers to, and user space's decoder is made from that BTF.
 */
struct tlsnap_vocabulary {
	enum tlsnap_record_type record_type;
	enum tlsnap_direction_kind direction;
	enum tlsnap_role role;
	enum tlsnap_chunk_flags chunk_flags;
	enum tlsnap_task_flags task_flags;
	enum tlsnap_fingerprint_flags fingerprint_flags;
	enum tlsnap_counter counter;
	enum tlsnap_side side;
};
const struct tlsnap_slot *const tlsnap_slots __attribute__((used)) = NULL;
const union tlsnap_any_record *const tlsnap_layout __attribute__((used)) = NULL;
const struct tlsnap_vocabulary *const tlsnap_vocabulary __attribute__((used)) = NULL;

enum tlsnap_search_state {
	TLSNAP_SEARCH = 0, /* no hello so far: test the start of each segment */
	TLSNAP_HEAD, /* what came so far may be the head of a hello: too short to tell */
	TLSNAP_SHIPPING, /* a hello, up to `end` */
	TLSNAP_DONE, /* the hello is out */
	TLSNAP_EXHAUSTED, /* the budget of segments is used up */
};

enum tlsnap_search_flags {
	TLSNAP_FLAG_BASED = 1 << 0, /* `base` is known */
	TLSNAP_FLAG_FRAGMENTED = 1 << 1, /* the hello goes on in a further TLS record: its end is an upper bound */
	TLSNAP_FLAG_LOST = 1 << 2, /* a chunk of this hello is lost and counted: the rest is not shipped */
	TLSNAP_FLAG_SSLV2 = 1 << 3,
	TLSNAP_FLAG_SHIPPED = 1 << 4, /* at least one chunk of this hello is out */
};

/* One direction of a connection. Offsets count the stream's bytes from 0, modulo 2^32. */
struct tlsnap_search {
	__u32 base; /* TCP sequence number of offset 0 */
	__u32 next; /* first byte that has not been seen in order */
	__u32 start; /* where the hello, or what may be one, begins */
	__u32 end; /* where it ends */
	__u32 ahead_start; /* what was seen beyond a hole at `next`; nothing where both are equal */
	__u32 ahead_end;
	__u16 segments; /* that did not bring the search on */
	__u8 state; /* enum tlsnap_search_state */
	__u8 flags; /* enum tlsnap_search_flags */
	__u8 have; /* bytes in `head` */
	__u8 handshake_type;
	__u8 retry_match; /* bytes of the random that equal a HelloRetryRequest's, of the first 8 */
	__u8 reserved;
	__u8 head[TLSNAP_HEAD_LENGTH];
};

struct tlsnap_connection {
	struct tlsnap_flow flow;
	struct tlsnap_task owner;
	struct tlsnap_task sender; /* of the segment at hand, where it is not the owner */
	struct tlsnap_ja3 ja3; /* of the ClientHello, where `hashed` */
	struct tlsnap_search search[2]; /* by enum tlsnap_direction_kind */
	__u8 role; /* enum tlsnap_role */
	__u8 counted; /* as one with a hello */
	__u8 retried; /* a HelloRetryRequest was seen */
	__u8 hashed;
	__u8 reserved[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct tlsnap_connection);
} connections SEC(".maps");

/* The size is set by user space (--ring-size). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

struct tlsnap_reader {
	__u32 sleeps; /* 1: the ring was empty, and its reader sleeps until it is woken */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlsnap_reader);
} reader SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TLSNAP_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/*
 * Pids of the process that the scope names and of its descendants, kept by tlsnap_fork and tlsnap_exit. User space puts in
 * those that were there before.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} scoped_processes SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);

	/* Not a plain increment: softirq may interrupt a process on the same CPU half-way. */
	if (value)
		__sync_fetch_and_add(value, 1);
}

/*
 * Default wake-ups cost 2 to 11 us an event; while there are any the reader polls instead, and is woken only when the ring
 * fills faster than it polls. When there were none for a while it sleeps, and the first one wakes it.
 */
static __always_inline __u64 wakeup(void)
{
	struct tlsnap_reader *state;
	__u32 key = 0;

	state = bpf_map_lookup_elem(&reader, &key);
	if (state && state->sleeps) {
		state->sleeps = 0;
		return BPF_RB_FORCE_WAKEUP;
	}
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > tlsnap_wakeup_bytes ? BPF_RB_FORCE_WAKEUP :
										   BPF_RB_NO_WAKEUP;
}

static __always_inline void begin_record(struct tlsnap_record *record, __u16 type, __u32 size)
{
	record->type = type;
	record->reserved = 0;
	record->size = size;
	record->boot_ns = bpf_ktime_get_boot_ns();
}

#endif
