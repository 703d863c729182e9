/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which connection a socket is the end of. */
#ifndef TLSNAP_FLOW_H
#define TLSNAP_FLOW_H

#include "segment.h"

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

#endif
