/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whose connection it is. */
#ifndef TLSNAP_OWNER_H
#define TLSNAP_OWNER_H

#include "scope.h"

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
 *
 * False where the process that answers a ClientHello is not in scope: only then is it known whose connection this is.
 */
static __always_inline bool attribute(struct tlsnap_connection *connection, struct bpf_sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct tlsnap_task *sender = &connection->sender;

	__builtin_memset(sender, 0, sizeof(*sender));
	if (!tcp || tcp->inet_conn.icsk_inet.sk.sk_lock.owned != 1)
		return true;
	if (connection->role == TLSNAP_ROLE_ACCEPTED && !current_in_scope())
		return !connection->counted;
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
	return true;
}

/* Nothing more of this connection. What was shipped of it has no owner, and is left out in user space. */
static __always_inline void leave_out(struct bpf_sock *sk)
{
	count(TLSNAP_COUNT_FILTERED);
	bpf_sk_storage_delete(&connections, sk);
}

#endif
