/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Data that reaches a listener before its connection exists: on a TCP Fast Open SYN, or behind a lost third ACK. It is
 * kept by addresses, and joined to the connection when there is one.
 */
#ifndef TLSNAP_LISTENER_H
#define TLSNAP_LISTENER_H

#include "fingerprint.h"
#include "flow.h"
#include "scope.h"
#include "search.h"

#define TLSNAP_EARLY_CHUNKS 4

/* An entry lives until the connection is established; those of connections that never are get overwritten. */
struct tlsnap_early_key {
	__u8 local_address[16];
	__u8 remote_address[16];
	__u16 local_port;
	__u16 remote_port;
	__u32 netns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct tlsnap_early_key);
	__type(value, struct tlsnap_connection);
} early SEC(".maps");

static const struct tlsnap_connection no_connection;

static __always_inline void early_key(struct tlsnap_early_key *key, const struct tlsnap_flow *flow)
{
	__builtin_memcpy(key->local_address, flow->local_address, 16);
	__builtin_memcpy(key->remote_address, flow->remote_address, 16);
	key->local_port = flow->local_port;
	key->remote_port = flow->remote_port;
	key->netns = flow->netns;
}

/* Takes over what reached the listener, if anything did, and tells user space to join it. */
static __always_inline void join_early(struct tlsnap_connection *connection)
{
	struct tlsnap_search *mine = &connection->search[TLSNAP_INGRESS];
	struct tlsnap_place place = {};
	struct tlsnap_accepted *out;
	struct tlsnap_early_key key;
	struct tlsnap_connection *kept;
	struct tlsnap_search *found;

	early_key(&key, &connection->flow);
	kept = bpf_map_lookup_elem(&early, &key);
	if (!kept)
		return;
	found = &kept->search[TLSNAP_INGRESS];
	/* What was kept may begin behind a segment that was lost, or be left over from another attempt. */
	if (found->base - mine->base < TLSNAP_GAP_MAX) {
		if (found->base == mine->base) {
			*mine = *found;
			connection->ja3 = kept->ja3;
			connection->hashed = kept->hashed;
		}
		connection->counted = mine->state >= TLSNAP_SHIPPING;
		out = open_record(&place, sizeof(*out));
		if (out) {
			begin_record(&out->record, TLSNAP_RECORD_ACCEPTED, sizeof(*out));
			out->flow = connection->flow;
			out->base = mine->base;
			out->reserved = 0;
			close_record(&place, out);
		} else {
			count(TLSNAP_COUNT_LOST_ACCEPTED);
		}
	}
	bpf_map_delete_elem(&early, &key);
}

/* Where a segment that reaches a listener is kept. */
static __noinline int find_early_key(struct __sk_buff *skb, struct bpf_sock *sk, const struct tlsnap_segment *segment,
				     struct tlsnap_early_key *key)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	if (!tcp || !key || !segment || find_addresses(skb, key->remote_address, key->local_address))
		return -1;
	key->local_port = segment->destination;
	key->remote_port = segment->source;
	key->netns = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum;
	return 0;
}

/* Its entry is gone already, for so many others that came at the same time. As lose_chunk(), which knows more. */
static __always_inline void lose_early(__u32 flags)
{
	count(TLSNAP_COUNT_LOST_CHUNKS);
	if (!(flags & TLSNAP_CHUNK_SPECULATIVE))
		count(flags & TLSNAP_CHUNK_CONTINUED ? TLSNAP_COUNT_CUT_HELLOS : TLSNAP_COUNT_LOST_HELLOS);
}

/* As ship_chunk(), for a segment whose connection does not exist yet; global for the same reason. */
__noinline __u32 ship_early_chunk(struct __sk_buff *skb, __u32 at, __u32 offset, __u32 length, __u32 flags)
{
	struct tlsnap_shipment shipment = {
		.at = at,
		.offset = offset,
		.length = length,
		.direction = TLSNAP_INGRESS,
		.flags = flags,
	};
	struct tlsnap_segment segment = {};
	struct tlsnap_early_key key = {};
	struct tlsnap_connection *kept;
	struct bpf_sock *sk = skb->sk;

	if (!sk || find_segment(skb, &segment) || find_early_key(skb, sk, &segment, &key))
		return 0;
	kept = bpf_map_lookup_elem(&early, &key);
	if (!kept) {
		lose_early(flags);
		return 0;
	}
	return ship_once(skb, kept, &kept->search[TLSNAP_INGRESS], &shipment);
}

/* As ship(). What comes on a SYN fits into one packet. */
static __noinline int ship_early(struct __sk_buff *skb, struct tlsnap_shipment *shipment)
{
	if (!shipment)
		return 0;
	for (int i = 0; i < TLSNAP_EARLY_CHUNKS; i++) {
		__u32 shipped = ship_early_chunk(skb, shipment->at, shipment->offset, shipment->length, shipment->flags);

		shipment->length -= shipped;
		if (shipment->length == 0 || shipped == 0)
			break;
		shipment->at += shipped;
		shipment->offset += shipped;
		shipment->flags |= TLSNAP_CHUNK_CONTINUED;
	}
	if (shipment->length > 0 && !(shipment->flags & TLSNAP_CHUNK_SPECULATIVE))
		count(TLSNAP_COUNT_TRUNCATED);
	return 0;
}

/*
 * Keeps what reaches a listener with data, until the connection that it belongs to exists. The first byte's sequence
 * number stands in for its offset: the connection will know where its stream begins.
 */
static __noinline int keep_early(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct tlsnap_shipment shipment = {};
	struct tlsnap_segment segment = {};
	struct tlsnap_early_key key = {};
	struct tlsnap_connection *kept;
	struct tlsnap_search *search;

	if (find_segment(skb, &segment) || segment.length == 0 || find_early_key(skb, sk, &segment, &key))
		return 0;
	/* It counts as left out when it is established. */
	if (!ends_in_scope(key.netns, key.local_port, key.remote_port, TLSNAP_ROLE_ACCEPTED))
		return 0;
	kept = bpf_map_lookup_elem(&early, &key);
	if (kept && kept->search[TLSNAP_INGRESS].base == segment.sequence)
		return 0;
	bpf_map_update_elem(&early, &key, &no_connection, BPF_ANY);
	kept = bpf_map_lookup_elem(&early, &key);
	if (!kept)
		return 0;

	kept->role = TLSNAP_ROLE_ACCEPTED;
	__builtin_memcpy(kept->flow.local_address, key.local_address, 16);
	__builtin_memcpy(kept->flow.remote_address, key.remote_address, 16);
	kept->flow.local_port = key.local_port;
	kept->flow.remote_port = key.remote_port;
	kept->flow.netns = key.netns;
	search = &kept->search[TLSNAP_INGRESS];
	search->base = segment.sequence;
	search->flags = TLSNAP_FLAG_BASED;
	search->next = segment.length;
	fill_head(skb, search, segment.data, segment.length);
	shipment.at = segment.data;
	shipment.length = segment.length;
	shipment.direction = TLSNAP_INGRESS;
	shipment.flags = TLSNAP_CHUNK_LISTENER;
	switch (judge(search)) {
	case TLSNAP_TOO_SHORT:
		search->state = TLSNAP_HEAD;
		break;
	case TLSNAP_NO_HELLO:
		/* Either no TLS, or a hello whose beginning was lost on the way: user space can tell. */
		shipment.flags |= TLSNAP_CHUNK_SPECULATIVE;
		ship_early(skb, &shipment);
		count(TLSNAP_COUNT_SPECULATIVE);
		search->segments = 1;
		break;
	default:
		recognise(kept, search);
		fingerprint_hello(skb, kept, search, &shipment);
		if (shipment.length > search->end)
			shipment.length = search->end;
		ship_early(skb, &shipment);
		if ((__s32)(search->next - search->end) >= 0)
			search->state = TLSNAP_DONE;
	}
	return 0;
}

#endif
