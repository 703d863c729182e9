// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Sees every TLS hello on TCP at a cgroup, in both directions and at both ends, and ships it with the identity of the
 * process that made it. The traffic is never touched: every packet is let through.
 *
 * A connection is tracked from the moment a socket operation announces it until both hellos are out; then its storage
 * is deleted, and each later packet costs one look-up that finds nothing.
 */
#include "programs.h"
#include "flow.h"
#include "identity.h"
#include "listener.h"
#include "owner.h"
#include "search.h"
#include "segment.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TLSNAP_LET_THROUGH 1

static __always_inline void know_bases(struct tlsnap_connection *connection, struct bpf_sock_ops *ctx)
{
	connection->search[TLSNAP_EGRESS].base = ctx->snd_nxt;
	connection->search[TLSNAP_EGRESS].flags = TLSNAP_FLAG_BASED;
	connection->search[TLSNAP_INGRESS].base = ctx->rcv_nxt;
	connection->search[TLSNAP_INGRESS].flags = TLSNAP_FLAG_BASED;
}

/* `late`: its SYN was out before anything of ours could see it, or it was left out then. */
static __noinline void track(struct bpf_sock_ops *ctx, __u8 role, bool late)
{
	struct tlsnap_connection *connection;
	struct bpf_sock *sk = ctx->sk;
	struct tlsnap_flow flow = {};
	struct tcp_sock *tcp;

	if (!sk)
		return;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	read_flow(&flow, tcp);
	/* Who is current when the peer answers has nothing to do with it: by process, nothing late is in scope. */
	if (!ends_in_scope(flow.netns, flow.local_port, flow.remote_port, role) ||
	    (role == TLSNAP_ROLE_CONNECTED && (late ? tlsnap_subtree : !current_in_scope()))) {
		if (!late)
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
	connection->flow = flow;
	connection->flow.cookie = bpf_get_socket_cookie(ctx);
	if (late) {
		know_bases(connection, ctx);
	} else if (role == TLSNAP_ROLE_CONNECTED) {
		/* The bases come with the SYN and the SYN-ACK, which pass the packet programs. */
		identify(&connection->owner);
	} else {
		/* Softirq: whoever is current has nothing to do with this. The owner shows when it answers. */
		know_bases(connection, ctx);
		join_early(connection);
		count(TLSNAP_COUNT_ACCEPTED);
	}
}

/*
 * An attempt that was refused is no connection: it counts when the peer has answered. One that began before the programs were on
 * their hooks is followed from here on; whose it is shows when it sends.
 */
static __always_inline void count_established(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return;
	if (!bpf_sk_storage_get(&connections, sk, NULL, 0))
		track(ctx, TLSNAP_ROLE_CONNECTED, true);
	if (bpf_sk_storage_get(&connections, sk, NULL, 0))
		count(TLSNAP_COUNT_CONNECTED);
}

SEC("sockops")
int tlsnap_sockops(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB)
		track(ctx, TLSNAP_ROLE_CONNECTED, false);
	else if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		count_established(ctx);
	else if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		track(ctx, TLSNAP_ROLE_ACCEPTED, false);
	return 1;
}

/*
 * What is done for the few packets of a connection that still has a hello to come. Functions of their own, so that the
 * programs which every packet runs stay small: inlined, their size alone cost some 50 ns a packet. Global, so that the
 * verifier takes each by itself: 7.2 loses track of what lies on the stack when it comes four calls deep. On 5.10
 * such functions take the packet only, hence a second look-up.
 */

__noinline int follow_egress(struct __sk_buff *skb)
{
	struct tlsnap_connection *connection;
	struct tlsnap_segment segment = {};
	struct bpf_sock *sk = skb->sk;
	struct tlsnap_search *search;
	bool missing, silent;

	if (!sk)
		return 0;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection || find_segment(skb, &segment))
		return 0;
	search = &connection->search[TLSNAP_EGRESS];
	/* Who ends an accepted connection without a word of its own is whose it was. */
	missing = owner_is_missing(connection);
	if ((segment.length > 0 || (missing && segment.closing)) && !attribute(connection, sk)) {
		leave_out(sk);
		return 0;
	}
	/* What says whose it is may be no hello: an alert, say, or the rest of one that a timer began to send. */
	silent = is_finished(search) || search->flags & TLSNAP_FLAG_SHIPPED;
	if (!is_finished(search))
		follow(skb, connection, &segment, TLSNAP_EGRESS);
	if (missing && !owner_is_missing(connection) && (silent || !(search->flags & TLSNAP_FLAG_SHIPPED)))
		ship_owner(connection);
	release_when_finished(connection, sk);
	return 0;
}

__noinline int follow_ingress(struct __sk_buff *skb)
{
	struct tlsnap_connection *connection;
	struct tlsnap_segment segment = {};
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection || find_segment(skb, &segment))
		return 0;
	follow(skb, connection, &segment, TLSNAP_INGRESS);
	release_when_finished(connection, sk);
	return 0;
}

/* The look-ups ask for a full socket themselves, so no bpf_sk_fullsock() before them: every call costs. */

static __always_inline int look_at_egress(struct __sk_buff *skb)
{
	struct tlsnap_connection *connection;
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return TLSNAP_LET_THROUGH;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (connection && (!is_finished(&connection->search[TLSNAP_EGRESS]) || owner_is_missing(connection)))
		follow_egress(skb);
	return TLSNAP_LET_THROUGH;
}

static __always_inline int look_at_ingress(struct __sk_buff *skb)
{
	struct tlsnap_connection *connection;
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return TLSNAP_LET_THROUGH;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (connection) {
		if (!is_finished(&connection->search[TLSNAP_INGRESS]))
			follow_ingress(skb);
	} else if (sk->state == BPF_TCP_LISTEN) {
		keep_early(skb, sk);
	}
	return TLSNAP_LET_THROUGH;
}

#ifndef TLSNAP_DIRECT

SEC("cgroup_skb/egress")
int tlsnap_egress(struct __sk_buff *skb)
{
	return look_at_egress(skb);
}

SEC("cgroup_skb/ingress")
int tlsnap_ingress(struct __sk_buff *skb)
{
	return look_at_ingress(skb);
}

#else /* tlsnap-direct.bpf.c */

/*
 * Whether anything at all is kept for the socket. A call costs what its return costs, 35 ns and more where the kernel
 * guards returns (SRSO).
 */
static __always_inline bool has_storage(struct __sk_buff *skb)
{
	struct sk_buff *kernel_skb = bpf_cast_to_kern_ctx(skb);
	struct sock *sk = kernel_skb->sk;

	return sk && sk->sk_bpf_storage;
}

SEC("cgroup_skb/egress")
int tlsnap_egress_direct(struct __sk_buff *skb)
{
	return has_storage(skb) ? look_at_egress(skb) : TLSNAP_LET_THROUGH;
}

SEC("cgroup_skb/ingress")
int tlsnap_ingress_direct(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (sk && sk->state != BPF_TCP_LISTEN && !has_storage(skb))
		return TLSNAP_LET_THROUGH;
	return look_at_ingress(skb);
}

#endif
