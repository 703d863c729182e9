/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a packet to the TCP segment in it. */
#ifndef TLSNAP_SEGMENT_H
#define TLSNAP_SEGMENT_H

#include "programs.h"

#define TLSNAP_IPPROTO_TCP 6
#define TLSNAP_TCP_FIN 0x01
#define TLSNAP_TCP_SYN 0x02
#define TLSNAP_TCP_RST 0x04
#define TLSNAP_IPV6_EXTENSIONS 6

struct tlsnap_segment {
	__u32 data; /* where the payload begins in the packet, in bytes */
	__u32 length; /* of the payload: 64 kB and more before segmentation and after coalescing */
	__u32 sequence; /* of the payload's first byte */
	__u8 syn;
	__u8 closing; /* FIN or RST */
	__u16 source; /* ports, host order */
	__u16 destination;
};

/* RFC 8200 section 4: hop-by-hop 0, routing 43, fragment 44, authentication 51, destination 60. */
static __always_inline int skip_ipv6_extensions(struct __sk_buff *skb, __u8 next, __u32 *at)
{
	for (int i = 0; i < TLSNAP_IPV6_EXTENSIONS; i++) {
		__u8 head[2];

		if (next == TLSNAP_IPPROTO_TCP)
			return 0;
		if (next != 0 && next != 43 && next != 60 && next != 51)
			return -1;
		if (bpf_skb_load_bytes(skb, *at, head, sizeof(head)))
			return -1;
		*at += next == 51 ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
		next = head[0];
	}
	return next == TLSNAP_IPPROTO_TCP ? 0 : -1;
}

static __always_inline void map_ipv4(__u8 *address, __be32 ipv4)
{
	__builtin_memset(address, 0, 10);
	address[10] = 0xff;
	address[11] = 0xff;
	__builtin_memcpy(address + 12, &ipv4, sizeof(ipv4));
}

/* The packet's own addresses, for where there is no connection to ask. */
static __always_inline int find_addresses(struct __sk_buff *skb, __u8 *source, __u8 *destination)
{
	__be32 ipv4[2];
	__u8 version;

	if (bpf_skb_load_bytes(skb, 0, &version, 1))
		return -1;
	if (version >> 4 == 4) {
		if (bpf_skb_load_bytes(skb, 12, ipv4, sizeof(ipv4)))
			return -1;
		map_ipv4(source, ipv4[0]);
		map_ipv4(destination, ipv4[1]);
		return 0;
	}
	return bpf_skb_load_bytes(skb, 8, source, 16) || bpf_skb_load_bytes(skb, 24, destination, 16) ? -1 : 0;
}

/* The version comes from the packet: an IPv6 socket carries IPv4 packets for v4-mapped addresses. */
static __noinline int find_segment(struct __sk_buff *skb, struct tlsnap_segment *out)
{
	__u8 ip[40];
	__u8 tcp[14];
	__u32 at;

	if (bpf_skb_load_bytes(skb, 0, ip, 20))
		return -1;
	if (ip[0] >> 4 == 4) {
		if (ip[9] != TLSNAP_IPPROTO_TCP)
			return -1;
		at = (ip[0] & 15) * 4;
	} else {
		at = 40;
		if (skip_ipv6_extensions(skb, ip[6], &at))
			return -1;
	}
	if (bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp)))
		return -1;
	out->source = tcp[0] << 8 | tcp[1];
	out->destination = tcp[2] << 8 | tcp[3];
	out->sequence = (__u32)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
	out->syn = !!(tcp[13] & TLSNAP_TCP_SYN);
	out->closing = !!(tcp[13] & (TLSNAP_TCP_FIN | TLSNAP_TCP_RST));
	out->data = at + (tcp[12] >> 4) * 4;
	out->length = skb->len > out->data ? skb->len - out->data : 0;
	/* A SYN takes one sequence number: data on it (TCP Fast Open) begins behind that. */
	out->sequence += out->syn;
	return 0;
}

#endif
