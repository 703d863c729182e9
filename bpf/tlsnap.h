/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records that the BPF programs send to user space, and what user space sets before loading.
 * The one source of their layout: the TypeScript decoder is generated from this header's BTF.
 * Integers are in host byte order; addresses are in network byte order.
 */
#ifndef TLSNAP_H
#define TLSNAP_H

#ifdef __bpf__
typedef __u8 tlsnap_u8;
typedef __u16 tlsnap_u16;
typedef __u32 tlsnap_u32;
typedef __u64 tlsnap_u64;
#else
#include <stdint.h>
typedef uint8_t tlsnap_u8;
typedef uint16_t tlsnap_u16;
typedef uint32_t tlsnap_u32;
typedef uint64_t tlsnap_u64;
#endif

#define TLSNAP_COMM_LENGTH 16 /* TASK_COMM_LEN */
#define TLSNAP_HEAD_LENGTH 16 /* 5 (record) + 4 (handshake), or 11 (SSLv2), rounded up */
#define TLSNAP_ANCESTORS 8 /* a login shell under systemd is 4 to 6 deep */
#define TLSNAP_CMDLINE_LENGTH 1024
#define TLSNAP_EXE_LENGTH 768 /* the last component may use up to 256 of it */

/*
 * Three sizes of hello chunks, because a ring-buffer record has a fixed size and unused space is ring space lost:
 * a ServerHello, a classical ClientHello (517 bytes from curl), a post-quantum ClientHello (up to 1.9 kB).
 */
#define TLSNAP_CHUNK_SMALL 256
#define TLSNAP_CHUNK_MEDIUM 704
#define TLSNAP_CHUNK_LARGE 2048

/* What a slot of the flight recorder holds of a hello: the slot has 1 KiB then. */
#define TLSNAP_CHUNK_SLOT 728

/* Ports that a scope can name. */
#define TLSNAP_PORTS_MAX 16

/* Bytes shipped at most for one hello; what is longer is kept up to here and counted as truncated. */
#define TLSNAP_HELLO_MAX 65536

enum tlsnap_record_type {
	TLSNAP_RECORD_CHUNK = 1, /* bytes of a hello */
	TLSNAP_RECORD_PROCESS = 2, /* a process seen for the first time, or after an exec */
	TLSNAP_RECORD_EXIT = 3, /* a process that was reported has ended */
	TLSNAP_RECORD_ACCEPTED = 4, /* a connection whose first data reached its listener */
};

enum tlsnap_direction_kind {
	TLSNAP_EGRESS = 0,
	TLSNAP_INGRESS = 1,
};

enum tlsnap_role {
	TLSNAP_ROLE_CONNECTED = 0, /* this end called connect() */
	TLSNAP_ROLE_ACCEPTED = 1, /* this end listened */
};

enum tlsnap_chunk_flags {
	TLSNAP_CHUNK_SSLV2 = 1 << 0, /* an SSLv2-compatible ClientHello */
	TLSNAP_CHUNK_CONTINUED = 1 << 1, /* more of the segment that the chunk before came from */
	TLSNAP_CHUNK_SPECULATIVE = 1 << 2, /* arrived before what precedes it: may or may not belong to a hello */
	TLSNAP_CHUNK_LISTENER = 1 << 3, /* reached the listening socket: no cookie, offsets are TCP sequence numbers */
	TLSNAP_CHUNK_OWNER = 1 << 4, /* no bytes: only tells the owner of an accepted connection */
	TLSNAP_CHUNK_HASHED = 1 << 5, /* the kernel hashed this ClientHello: `ja3` holds */
};

enum tlsnap_task_flags {
	TLSNAP_TASK_KTHREAD = 1 << 0, /* a kernel thread acted: the owner is not known */
	TLSNAP_TASK_SENT = 1 << 1, /* known because it sent, not because it connected */
};

/* Losses and totals, each counted where it happens. The order is that of the `counters` map. */
enum tlsnap_counter {
	TLSNAP_COUNT_CONNECTED, /* connections tracked from connect(), once established */
	TLSNAP_COUNT_ACCEPTED, /* connections tracked from a listener */
	TLSNAP_COUNT_WITH_HELLO, /* of these, those on which at least one hello was recognised */
	TLSNAP_COUNT_CLIENT_HELLOS, /* ClientHellos recognised, at either end */
	TLSNAP_COUNT_SERVER_HELLOS, /* ServerHellos recognised, at either end */
	TLSNAP_COUNT_CHUNKS, /* chunks shipped */
	TLSNAP_COUNT_LOST_HELLOS, /* hellos of which nothing was shipped, because the ring was full */
	TLSNAP_COUNT_CUT_HELLOS, /* hellos of which the beginning was shipped, and then the ring was full */
	TLSNAP_COUNT_LOST_CHUNKS, /* chunks that found the ring full, the above included */
	TLSNAP_COUNT_LOST_PROCESSES, /* process records that found the ring full */
	TLSNAP_COUNT_LOST_EXITS, /* exit records that found the ring full */
	TLSNAP_COUNT_LOST_ACCEPTED, /* listener joins that found the ring full */
	TLSNAP_COUNT_LOST_SEGMENTS, /* segments whose bytes the kernel would not hand over */
	TLSNAP_COUNT_UNTRACKED, /* connections for which no storage could be had */
	TLSNAP_COUNT_UNBASED, /* segments before the sequence number of the stream's start was known */
	TLSNAP_COUNT_TRUNCATED, /* hellos longer than TLSNAP_HELLO_MAX */
	TLSNAP_COUNT_EXHAUSTED, /* directions given up: within the budget of segments no hello came, or a hole was not filled */
	TLSNAP_COUNT_HASHED, /* ClientHellos hashed in the kernel */
	TLSNAP_COUNT_NOT_HASHED, /* ClientHellos left to user space: in pieces, unusual, or interrupted */
	TLSNAP_COUNT_MAP_FULL, /* ClientHellos for which the map of fingerprints had no room */
	TLSNAP_COUNT_FILTERED, /* connections, and attempts at one, left out because they are not in scope */
	TLSNAP_COUNT_UNSCOPED, /* processes started in scope for which `scoped_processes` had no room */
	TLSNAP_COUNT_OVERWRITTEN, /* hellos that the flight recorder gave up for newer ones */
	TLSNAP_COUNT_RECORDED, /* processes that the flight recorder took up */
	TLSNAP_COUNT_SPECULATIVE, /* chunks shipped before it was known whether they belong to a hello */
	TLSNAP_COUNTERS,
};

struct tlsnap_record {
	tlsnap_u16 type; /* enum tlsnap_record_type */
	tlsnap_u16 reserved;
	tlsnap_u32 size; /* of the whole record in use, this header included */
	tlsnap_u64 boot_ns; /* CLOCK_BOOTTIME */
};

struct tlsnap_task {
	tlsnap_u64 start_boot_ns; /* of the thread-group leader, CLOCK_BOOTTIME; 0 = no task known */
	tlsnap_u64 cgroup_id; /* on the cgroup2 hierarchy */
	tlsnap_u32 pid; /* thread-group id in the initial pid namespace */
	tlsnap_u32 tid;
	tlsnap_u32 ppid;
	tlsnap_u32 uid;
	tlsnap_u32 gid;
	tlsnap_u32 netns; /* inode */
	tlsnap_u32 pidns; /* inode */
	tlsnap_u32 flags; /* enum tlsnap_task_flags */
	char comm[TLSNAP_COMM_LENGTH]; /* of the thread-group leader */
	char thread_comm[TLSNAP_COMM_LENGTH];
};

struct tlsnap_flow {
	tlsnap_u8 local_address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	tlsnap_u8 remote_address[16];
	tlsnap_u16 local_port;
	tlsnap_u16 remote_port;
	tlsnap_u32 netns; /* inode of the socket's namespace */
	tlsnap_u64 cookie; /* 0 on a listener */
};

/* JA3 in the two forms: MD5, which feeds use, and SHA-256 of the same string. */
struct tlsnap_ja3 {
	tlsnap_u8 md5[16];
	tlsnap_u8 sha256[32];
};

struct tlsnap_chunk {
	struct tlsnap_record record;
	struct tlsnap_flow flow;
	struct tlsnap_task owner; /* who connected, or who answered on an accepted connection */
	struct tlsnap_task sender; /* who sent this, where it is not the owner */
	struct tlsnap_ja3 ja3; /* where TLSNAP_CHUNK_HASHED is set */
	tlsnap_u32 hello_offset; /* stream offset at which the hello begins; all ones if speculative */
	tlsnap_u32 stream_offset; /* of the first byte below */
	tlsnap_u32 length; /* bytes below */
	tlsnap_u8 direction; /* enum tlsnap_direction_kind */
	tlsnap_u8 role; /* enum tlsnap_role */
	tlsnap_u8 flags; /* enum tlsnap_chunk_flags */
	tlsnap_u8 handshake_type; /* 1 ClientHello, 2 ServerHello, 0 not known */
	tlsnap_u8 bytes[];
};

struct tlsnap_ancestor {
	tlsnap_u64 start_boot_ns;
	tlsnap_u32 pid;
	tlsnap_u32 uid;
	char comm[TLSNAP_COMM_LENGTH];
};

struct tlsnap_process {
	struct tlsnap_record record;
	struct tlsnap_task task;
	tlsnap_u64 exe_inode;
	tlsnap_u32 exe_device; /* kernel's dev_t: major << 20 | minor */
	tlsnap_u16 exe_deleted; /* 1 where the file has no name any more */
	tlsnap_u16 exe_cut; /* 1 where the path's beginning did not fit */
	tlsnap_u32 nspid; /* the pid inside its own pid namespace; 0 not known */
	tlsnap_u32 exec; /* 1 where an exec was the reason for this record */
	tlsnap_u32 ancestor_count;
	tlsnap_u32 cmdline_length; /* bytes used; the arguments may have been longer */
	tlsnap_u32 cmdline_total; /* bytes the arguments have in all */
	tlsnap_u32 exe_length; /* bytes used: path components, last one first, each ended by NUL */
	struct tlsnap_ancestor ancestors[TLSNAP_ANCESTORS]; /* parent first */
	tlsnap_u8 cmdline[TLSNAP_CMDLINE_LENGTH];
	tlsnap_u8 exe[TLSNAP_EXE_LENGTH];
};

struct tlsnap_exit {
	struct tlsnap_record record;
	tlsnap_u64 start_boot_ns;
	tlsnap_u32 pid;
	tlsnap_u32 exit_code; /* as in wait(2) */
};

/* Says which connection the chunks with TLSNAP_CHUNK_LISTENER of the same addresses belong to. */
struct tlsnap_accepted {
	struct tlsnap_record record;
	struct tlsnap_flow flow;
	tlsnap_u32 base; /* TCP sequence number of stream offset 0; those chunks' offsets are sequence numbers */
	tlsnap_u32 reserved;
};

#define TLSNAP_SLOT_RECORD (sizeof(struct tlsnap_chunk) + TLSNAP_CHUNK_SLOT)

/* A place for one record of the flight recorder. The record number `n` is whole where `sequence` is 2n + 2. */
struct tlsnap_slot {
	tlsnap_u64 sequence; /* odd: being written; 0: nothing here */
	tlsnap_u8 record[TLSNAP_SLOT_RECORD]; /* a chunk, or struct tlsnap_accepted */
};

/* What the flight recorder keeps of a process: the least recently used go first. */
struct tlsnap_recorded_process {
	tlsnap_u64 whole; /* 1 where all of it is written */
	struct tlsnap_process process;
};

enum tlsnap_side {
	TLSNAP_SIDE_CLIENT = 0, /* the process sent the ClientHello */
	TLSNAP_SIDE_SERVER = 1, /* the process answered it */
};

enum tlsnap_fingerprint_flags {
	TLSNAP_FINGERPRINT_HASHED = 1 << 0, /* by the kernel programs; nobody else writes entries */
	TLSNAP_FINGERPRINT_SENT = 1 << 1, /* the process is known because it sent, as each that answers is */
};

/* Which process has which fingerprint: the key and value of the map `fingerprints`. */
struct tlsnap_fingerprint_key {
	tlsnap_u64 pid;
	tlsnap_u64 start_boot_ns;
	tlsnap_u8 ja3_md5[16];
	tlsnap_u32 side; /* enum tlsnap_side */
	tlsnap_u32 reserved;
};

struct tlsnap_fingerprint {
	tlsnap_u8 ja3_sha256[32];
	tlsnap_u64 count;
	tlsnap_u64 first_boot_ns;
	tlsnap_u64 last_boot_ns;
	tlsnap_u64 cgroup_id;
	tlsnap_u32 uid;
	tlsnap_u32 ppid;
	tlsnap_u32 flags; /* enum tlsnap_fingerprint_flags */
	tlsnap_u32 side; /* as in the key */
	char comm[TLSNAP_COMM_LENGTH];
};

/* Everything above that crosses the ring, so that one name in the object's BTF leads to all layouts. */
union tlsnap_any_record {
	struct tlsnap_record record;
	struct tlsnap_chunk chunk;
	struct tlsnap_process process;
	struct tlsnap_exit exit;
	struct tlsnap_accepted accepted;
};

#ifndef __cplusplus
#define static_assert _Static_assert
#endif
static_assert(sizeof(struct tlsnap_record) == 16, "record");
static_assert(sizeof(struct tlsnap_task) == 80, "task");
static_assert(sizeof(struct tlsnap_flow) == 48, "flow");
static_assert(sizeof(struct tlsnap_chunk) == 288, "chunk");
static_assert(sizeof(struct tlsnap_ancestor) == 32, "ancestor");
static_assert(sizeof(struct tlsnap_process) == 16 + 80 + 40 + 8 * 32 + 1024 + 768, "process");
static_assert(sizeof(struct tlsnap_exit) == 32, "exit");
static_assert(sizeof(struct tlsnap_accepted) == 72, "accepted");
static_assert(sizeof(struct tlsnap_slot) == 1024, "slot");
static_assert(sizeof(struct tlsnap_recorded_process) == 8 + sizeof(struct tlsnap_process), "recorded_process");
static_assert(sizeof(struct tlsnap_fingerprint_key) == 40, "fingerprint_key");
static_assert(sizeof(struct tlsnap_fingerprint) == 96, "fingerprint");

#endif
