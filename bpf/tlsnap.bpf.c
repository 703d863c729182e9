// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Sees every TLS hello on TCP at a cgroup, in both directions and at both ends, and ships it with the identity of the
 * process that made it. The traffic is never touched: every packet is let through.
 *
 * A connection is tracked from the moment a socket operation announces it until both hellos are out; then its storage
 * is deleted, and each later packet costs one look-up that finds nothing.
 */
#include "programs.h"
#include "fingerprint.h"
#include "hello.h"
#include "identity.h"
#include "segment.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TLSNAP_LET_THROUGH 1
/* A gap larger than this is not reordering but a sequence number from elsewhere. */
#define TLSNAP_GAP_MAX (1 << 20)
#define TLSNAP_EARLY_CHUNKS 4

/*
 * Data that reached a listener before its connection existed: on a TCP Fast Open SYN, or behind a lost third ACK.
 * An entry lives until the connection is established; those of connections that never are get overwritten.
 */
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

/* The socket's own view of the connection: what the process asked for, before any address translation. */
static __always_inline void read_flow(struct tlsnap_flow *flow, struct tcp_sock *tcp)
{
	struct sock *sk = &tcp->inet_conn.icsk_inet.sk;

	if (sk->__sk_common.skc_family == TLSNAP_AF_INET6) {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			((__be32 *)flow->local_address)[i] = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i];
			((__be32 *)flow->remote_address)[i] = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[i];
		}
	} else {
		map_ipv4(flow->local_address, sk->__sk_common.skc_rcv_saddr);
		map_ipv4(flow->remote_address, sk->__sk_common.skc_daddr);
	}
	flow->local_port = sk->__sk_common.skc_num;
	flow->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	flow->netns = sk->__sk_common.skc_net.net->ns.inum;
}

static __always_inline bool is_elsewhere(struct tcp_sock *tcp)
{
	return tlsnap_netns && tcp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum != tlsnap_netns;
}

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
		out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
		if (out) {
			begin_record(&out->record, TLSNAP_RECORD_ACCEPTED, sizeof(*out));
			out->flow = connection->flow;
			out->base = mine->base;
			out->reserved = 0;
			bpf_ringbuf_submit(out, wakeup());
		} else {
			count(TLSNAP_COUNT_LOST_ACCEPTED);
		}
	}
	bpf_map_delete_elem(&early, &key);
}

static __always_inline void track(struct bpf_sock_ops *ctx, __u8 role)
{
	struct tlsnap_connection *connection;
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tcp;

	if (!sk)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	if (is_elsewhere(tcp)) {
		count(TLSNAP_COUNT_FILTERED);
		return;
	}
	connection = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!connection) {
		count(TLSNAP_COUNT_UNTRACKED);
		return;
	}
	/* A socket may connect a second time after a failure. */
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->role = role;
	read_flow(&connection->flow, tcp);
	connection->flow.cookie = bpf_get_socket_cookie(ctx);
	if (role == TLSNAP_ROLE_CONNECTED) {
		/* The bases come with the SYN and the SYN-ACK, which pass the packet programs. */
		identify(&connection->owner);
		count(TLSNAP_COUNT_CONNECTED);
	} else {
		/* Softirq: whoever is current has nothing to do with this. The owner shows when it answers. */
		connection->search[TLSNAP_EGRESS].base = ctx->snd_nxt;
		connection->search[TLSNAP_EGRESS].flags = TLSNAP_FLAG_BASED;
		connection->search[TLSNAP_INGRESS].base = ctx->rcv_nxt;
		connection->search[TLSNAP_INGRESS].flags = TLSNAP_FLAG_BASED;
		join_early(connection);
		count(TLSNAP_COUNT_ACCEPTED);
	}
}

SEC("sockops")
int tlsnap_sockops(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		track(ctx, TLSNAP_ROLE_CONNECTED);
	else if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		track(ctx, TLSNAP_ROLE_ACCEPTED);
	return 1;
}

/* Puts the hello's bytes that lie in this segment on their way. Offsets are relative to the stream. */
static __noinline int ship_segment(struct __sk_buff *skb, struct tlsnap_connection *connection,
				   struct tlsnap_search *search, struct tlsnap_shipment *shipment)
{
	__u32 behind = search->end - shipment->offset;

	/* Wholly behind the hello's end: nothing of it. */
	if ((__s32)behind <= 0 || search->flags & TLSNAP_FLAG_LOST)
		return 0;
	if (shipment->length > behind)
		shipment->length = behind;
	match_retry(skb, search, shipment);
	ship(skb, shipment);
	return 0;
}

/*
 * A client's fingerprint counts when its ClientHello goes out, a server's when the answer does: only then is it known
 * whose connection this is.
 */
static __always_inline void fingerprint_recognised(struct __sk_buff *skb, struct tlsnap_connection *connection,
						   struct tlsnap_search *search,
						   const struct tlsnap_shipment *shipment)
{
	bool outgoing = shipment->direction == TLSNAP_EGRESS;

	if (search->handshake_type == TLSNAP_CLIENT_HELLO) {
		fingerprint_hello(skb, connection, search, shipment);
		if (outgoing)
			record_fingerprint(connection, TLSNAP_SIDE_CLIENT);
	} else if (outgoing) {
		record_fingerprint(connection, TLSNAP_SIDE_SERVER);
	}
}

/*
 * Tests whether a hello begins at this place of the stream, or goes on that may have begun before. Leaves the search
 * in the state that follows.
 */
static __noinline int search_segment(struct __sk_buff *skb, struct tlsnap_connection *connection,
					   struct tlsnap_search *search, struct tlsnap_shipment *shipment)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		__u32 before, verdict;

		if (search->state == TLSNAP_SEARCH) {
			search->start = shipment->offset;
			search->have = 0;
		}
		before = search->have;
		fill_head(skb, search, shipment->at, shipment->length);
		/* A ChangeCipherSpec before the second ClientHello: RFC 8446 appendix D.4. */
		if (before == 0 && connection->retried && search->head[0] == TLSNAP_CONTENT_CHANGE_CIPHER_SPEC &&
		    shipment->length > TLSNAP_CCS_LENGTH) {
			shipment->at += TLSNAP_CCS_LENGTH;
			shipment->offset += TLSNAP_CCS_LENGTH;
			shipment->length -= TLSNAP_CCS_LENGTH;
			continue;
		}
		verdict = judge(search);
		if (verdict == TLSNAP_TOO_SHORT) {
			search->state = TLSNAP_HEAD;
			return 0;
		}
		if (verdict != TLSNAP_NO_HELLO) {
			recognise(connection, search);
			fingerprint_recognised(skb, connection, search, shipment);
			if (before > 0)
				ship_head(connection, search, shipment->direction, before);
			ship_segment(skb, connection, search, shipment);
			return 0;
		}
		search->state = TLSNAP_SEARCH;
		search->flags &= TLSNAP_FLAG_BASED;
		/* What went before was no hello after all; this segment may still begin one. */
		if (before == 0)
			break;
	}
	if (++search->segments >= tlsnap_segment_budget) {
		search->state = TLSNAP_EXHAUSTED;
		count(TLSNAP_COUNT_EXHAUSTED);
	}
	return 0;
}

static __always_inline bool is_finished(const struct tlsnap_search *search)
{
	return search->state >= TLSNAP_DONE;
}

/* Ends the direction's hello when all of it is out, and the connection when there is nothing left to see. */
static __always_inline void settle(struct tlsnap_connection *connection, struct tlsnap_search *search,
				   struct tlsnap_search *other)
{
	if (search->state != TLSNAP_SHIPPING)
		return;
	/* The peer answers a hello only when it has all of it. */
	if (other->state == TLSNAP_SHIPPING && search->handshake_type == TLSNAP_SERVER_HELLO)
		other->state = TLSNAP_DONE;
	if ((__s32)(search->next - search->end) < 0)
		return;
	search->state = TLSNAP_DONE;
	if (search->retry_match >= 8 && !connection->retried) {
		connection->retried = 1;
		search_again(search);
		search_again(other);
	}
}

/* Follows one direction of a tracked connection by one segment. */
static __always_inline void follow(struct __sk_buff *skb, struct tlsnap_connection *connection,
				   const struct tlsnap_segment *segment, const __u8 direction)
{
	struct tlsnap_search *search = &connection->search[direction];
	struct tlsnap_search *other = &connection->search[!direction];
	struct tlsnap_shipment shipment = {
		.at = segment->data,
		.length = segment->length,
		.direction = direction,
	};
	__u32 seen;

	if (segment->syn && !(search->flags & TLSNAP_FLAG_BASED)) {
		search->base = segment->sequence;
		search->flags |= TLSNAP_FLAG_BASED;
	}
	if (segment->length == 0)
		return;
	if (!(search->flags & TLSNAP_FLAG_BASED)) {
		count(TLSNAP_COUNT_UNBASED);
		return;
	}
	shipment.offset = segment->sequence - search->base;
	seen = search->next - shipment.offset;
	if ((__s32)seen < 0) {
		/* What precedes this is on its way again, this is not: keep it now, decide in user space. */
		if (seen < -(__u32)TLSNAP_GAP_MAX || search->segments >= tlsnap_segment_budget)
			return;
		if (search->state == TLSNAP_SHIPPING) {
			ship_segment(skb, connection, search, &shipment);
			return;
		}
		search->segments++;
		shipment.flags = TLSNAP_CHUNK_SPECULATIVE;
		ship(skb, &shipment);
		count(TLSNAP_COUNT_SPECULATIVE);
		return;
	}
	/* A retransmission, wholly or in part. */
	if (seen >= shipment.length)
		return;
	shipment.at += seen;
	shipment.offset += seen;
	shipment.length -= seen;
	search->next = shipment.offset + shipment.length;
	if (search->state == TLSNAP_SHIPPING)
		ship_segment(skb, connection, search, &shipment);
	else
		search_segment(skb, connection, search, &shipment);
	settle(connection, search, other);
}

static __always_inline bool same_process(const struct tlsnap_task *a, const struct tlsnap_task *b)
{
	return a->pid == b->pid && a->start_boot_ns == b->start_boot_ns;
}

static __always_inline bool owner_is_missing(const struct tlsnap_connection *connection)
{
	return connection->counted && connection->owner.pid == 0;
}

static __always_inline void release_when_finished(struct tlsnap_connection *connection, struct bpf_sock *sk)
{
	if (is_finished(&connection->search[TLSNAP_EGRESS]) && is_finished(&connection->search[TLSNAP_INGRESS]) &&
	    !owner_is_missing(connection))
		bpf_sk_storage_delete(&connections, sk);
}

/*
 * Who sends this segment. While a process holds the socket's lock nothing else transmits on it, so current is the one
 * that does; otherwise this is softirq or a timer, and current is whoever happened to run.
 */
static __always_inline void attribute(struct tlsnap_connection *connection, struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct tlsnap_task *sender = &connection->sender;

	__builtin_memset(sender, 0, sizeof(*sender));
	if (!tcp || tcp->inet_conn.icsk_inet.sk.sk_lock.owned != 1)
		return;
	identify(sender);
	/* On an accepted connection, the one that sends the ServerHello: not the one that sent a greeting before. */
	if (connection->owner.pid == 0 || connection->owner.flags & TLSNAP_TASK_KTHREAD ||
	    (connection->role == TLSNAP_ROLE_ACCEPTED &&
	     connection->search[TLSNAP_EGRESS].state < TLSNAP_SHIPPING)) {
		connection->owner = *sender;
		connection->owner.flags |= TLSNAP_TASK_SENT;
	}
	if (same_process(&connection->owner, sender)) {
		/* It may run another program by now: the name is that of the one that sends, as the executable will be. */
		__builtin_memcpy(connection->owner.comm, sender->comm, TLSNAP_COMM_LENGTH);
		__builtin_memset(sender, 0, sizeof(*sender));
	}
}

SEC("cgroup_skb/egress")
int tlsnap_egress(struct __sk_buff *skb)
{
	struct tlsnap_connection *connection;
	struct tlsnap_segment segment = {};
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return TLSNAP_LET_THROUGH;
	/*
	 * The look-up itself asks for a full socket, so no bpf_sk_fullsock() before it: every call costs what its return
	 * costs, some 35 ns where the kernel guards returns (SRSO), and this is all that a finished connection's packet does.
	 */
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection)
		return TLSNAP_LET_THROUGH;
	if (is_finished(&connection->search[TLSNAP_EGRESS]) && !owner_is_missing(connection))
		return TLSNAP_LET_THROUGH;
	if (find_segment(skb, &segment))
		return TLSNAP_LET_THROUGH;
	if (segment.length > 0)
		attribute(connection, sk);
	if (!is_finished(&connection->search[TLSNAP_EGRESS]))
		follow(skb, connection, &segment, TLSNAP_EGRESS);
	else if (!owner_is_missing(connection))
		ship_owner(connection);
	release_when_finished(connection, sk);
	return TLSNAP_LET_THROUGH;
}

/* As ship(), for a segment whose connection does not exist yet. What comes on a SYN fits into one packet. */
static __always_inline void ship_early(struct __sk_buff *skb, struct tlsnap_connection *kept,
				       struct tlsnap_search *search, struct tlsnap_shipment *shipment)
{
	__u32 left = shipment->length;

	for (int i = 0; i < TLSNAP_EARLY_CHUNKS; i++) {
		__u32 shipped = ship_once(skb, kept, search, shipment);

		left -= shipped;
		if (left == 0 || shipped == 0)
			break;
		shipment->at += shipped;
		shipment->offset += shipped;
		shipment->length = left;
		shipment->flags |= TLSNAP_CHUNK_CONTINUED;
	}
	if (left > 0)
		count(TLSNAP_COUNT_TRUNCATED);
}

/*
 * Keeps what reaches a listener with data, until the connection that it belongs to exists. The first byte's sequence
 * number stands in for its offset: the connection will know where its stream begins.
 */
static __noinline int keep_early(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct tlsnap_shipment shipment = {};
	struct tlsnap_segment segment = {};
	struct tlsnap_early_key key = {};
	struct tlsnap_connection *kept;
	struct tlsnap_search *search;

	if (!tcp || is_elsewhere(tcp) || find_segment(skb, &segment) || segment.length == 0)
		return 0;
	if (find_addresses(skb, key.remote_address, key.local_address))
		return 0;
	key.local_port = segment.destination;
	key.remote_port = segment.source;
	key.netns = tcp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net->ns.inum;
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
		ship_once(skb, kept, search, &shipment);
		count(TLSNAP_COUNT_SPECULATIVE);
		search->segments = 1;
		break;
	default:
		recognise(kept, search);
		fingerprint_hello(skb, kept, search, &shipment);
		if (shipment.length > search->end)
			shipment.length = search->end;
		ship_early(skb, kept, search, &shipment);
		if ((__s32)(search->next - search->end) >= 0)
			search->state = TLSNAP_DONE;
	}
	return 0;
}

SEC("cgroup_skb/ingress")
int tlsnap_ingress(struct __sk_buff *skb)
{
	struct tlsnap_connection *connection;
	struct tlsnap_segment segment = {};
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return TLSNAP_LET_THROUGH;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection) {
		if (sk->state == BPF_TCP_LISTEN)
			keep_early(skb, sk);
		return TLSNAP_LET_THROUGH;
	}
	if (is_finished(&connection->search[TLSNAP_INGRESS]))
		return TLSNAP_LET_THROUGH;
	if (find_segment(skb, &segment))
		return TLSNAP_LET_THROUGH;
	follow(skb, connection, &segment, TLSNAP_INGRESS);
	release_when_finished(connection, sk);
	return TLSNAP_LET_THROUGH;
}
