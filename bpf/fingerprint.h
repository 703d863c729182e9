/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The fingerprint of a connection's ClientHello, and the map of fingerprints by process. */
#ifndef TLSNAP_FINGERPRINT_H
#define TLSNAP_FINGERPRINT_H

#include "hello.h"
#include "ja3.h"

/*
 * Never evicts: what it has no room for is counted, and is still in the ring. Its size is set by user space (--map-size).
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct tlsnap_fingerprint_key);
	__type(value, struct tlsnap_fingerprint);
} fingerprints SEC(".maps");

static __always_inline void store_words(__u8 *bytes, const __u32 *words, int count, bool swap)
{
#pragma unroll
	for (int i = 0; i < 8; i++)
		if (i < count)
			((__u32 *)bytes)[i] = swap ? bpf_htonl(words[i]) : words[i];
}

/*
 * Hashes the handshake message of `size` bytes at `at` of the packet into `connection->ja3`, and sets `hashed` if that
 * went well and nobody else used this CPU's scratch memory meanwhile.
 */
static __noinline int hash_hello(struct __sk_buff *skb, struct tlsnap_connection *connection, __u32 at, __u32 size)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u64 ticket = bpf_ktime_get_boot_ns();

	if (!memory || !connection)
		return 0;
	memory->ticket = ticket;
	connection->hashed = 0;
	if (ja3_string(skb, at, size) == 0 && hash_string() == 0) {
		store_words(connection->ja3.md5, memory->md5, 4, false);
		store_words(connection->ja3.sha256, memory->sha256, 8, true);
		connection->hashed = memory->ticket == ticket;
	}
	count(connection->hashed ? TLSNAP_COUNT_HASHED : TLSNAP_COUNT_NOT_HASHED);
	return 0;
}

/* Hashes a ClientHello that lies whole, in one record, in the segment at hand; others are left to user space. */
static __always_inline void fingerprint_hello(struct __sk_buff *skb, struct tlsnap_connection *connection,
					      struct tlsnap_search *search, const struct tlsnap_shipment *shipment)
{
	connection->hashed = 0;
	if (search->handshake_type != TLSNAP_CLIENT_HELLO)
		return;
	if (shipment->offset != search->start || search->flags & (TLSNAP_FLAG_FRAGMENTED | TLSNAP_FLAG_SSLV2) ||
	    shipment->length < search->end - search->start) {
		count(TLSNAP_COUNT_NOT_HASHED);
		return;
	}
	hash_hello(skb, connection, shipment->at + TLSNAP_RECORD_HEADER,
		   search->end - search->start - TLSNAP_RECORD_HEADER);
}

/* Counts the connection's fingerprint for the process that it belongs to. */
static __noinline int record_fingerprint(struct tlsnap_connection *connection, __u32 side)
{
	struct tlsnap_fingerprint_key key = {};
	struct tlsnap_fingerprint fresh = {};
	struct tlsnap_fingerprint *known;
	__u64 now = bpf_ktime_get_boot_ns();

	/* After a HelloRetryRequest the second ClientHello is no fingerprint of its own. */
	if (!connection || !connection->hashed || connection->retried || connection->owner.pid == 0)
		return 0;
	key.pid = connection->owner.pid;
	key.start_boot_ns = connection->owner.start_boot_ns;
	__builtin_memcpy(key.ja3_md5, connection->ja3.md5, sizeof(key.ja3_md5));
	key.side = side;
	known = bpf_map_lookup_elem(&fingerprints, &key);
	if (!known) {
		__builtin_memcpy(fresh.ja3_sha256, connection->ja3.sha256, sizeof(fresh.ja3_sha256));
		fresh.first_boot_ns = now;
		fresh.cgroup_id = connection->owner.cgroup_id;
		fresh.uid = connection->owner.uid;
		fresh.ppid = connection->owner.ppid;
		fresh.side = side;
		fresh.flags = TLSNAP_FINGERPRINT_HASHED;
		if (connection->owner.flags & TLSNAP_TASK_SENT)
			fresh.flags |= TLSNAP_FINGERPRINT_SENT;
		__builtin_memcpy(fresh.comm, connection->owner.comm, sizeof(fresh.comm));
		/* Another CPU may have put it there meanwhile; that is as good. */
		bpf_map_update_elem(&fingerprints, &key, &fresh, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&fingerprints, &key);
	}
	if (!known) {
		count(TLSNAP_COUNT_MAP_FULL);
		return 0;
	}
	__sync_fetch_and_add(&known->count, 1);
	known->last_boot_ns = now;
	return 0;
}

#endif
