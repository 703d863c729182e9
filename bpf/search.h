/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Follows one direction of a tracked connection, segment by segment, until its hello is out. */
#ifndef TLSNAP_SEARCH_H
#define TLSNAP_SEARCH_H

#include "fingerprint.h"
#include "hello.h"
#include "segment.h"

/* A gap larger than this is not reordering but a sequence number from elsewhere. */
#define TLSNAP_GAP_MAX (1 << 20)

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

#define TLSNAP_PROXY_V1_MAX 107
#define TLSNAP_PROXY_V2_HEADER 16

/*
 * The length of the PROXY protocol header that a load balancer puts before the client's bytes, often in one segment with them;
 * 0 where there is none. Version 1 is a line of text, version 2 has its length behind a signature of twelve bytes.
 */
static __noinline int find_proxy_header(struct __sk_buff *skb, __u32 at)
{
	static const __u8 v1[6] = "PROXY ", v2[12] = "\r\n\r\n\0\r\nQUIT\n";
	__u8 head[TLSNAP_PROXY_V2_HEADER], not_v1 = 0, not_v2 = 0;

	if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return 0;
#pragma unroll
	for (__u32 i = 0; i < sizeof(v2); i++) {
		not_v2 |= head[i] ^ v2[i];
		if (i < sizeof(v1))
			not_v1 |= head[i] ^ v1[i];
	}
	if (!not_v2)
		return TLSNAP_PROXY_V2_HEADER + (head[14] << 8 | head[15]);
	if (not_v1)
		return 0;
	for (__u32 i = 6; i < TLSNAP_PROXY_V1_MAX; i++) {
		if (bpf_skb_load_bytes(skb, at + i, head, 1))
			return 0;
		if (head[0] == '\n')
			return i + 1;
	}
	return 0;
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
		if (before == 0 && shipment->offset == 0 && (search->head[0] == 'P' || search->head[0] == '\r')) {
			__u32 proxy = find_proxy_header(skb, shipment->at);

			if (proxy > 0 && proxy < shipment->length) {
				shipment->at += proxy;
				shipment->offset += proxy;
				shipment->length -= proxy;
				continue;
			}
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

/*
 * A HelloRetryRequest in several TLS records is not told from a ServerHello here, and two more hellos would follow it. So after
 * a ServerHello in several records another ClientHello is looked for; only where one comes, another answer is.
 */
static __always_inline void expect_retry(struct tlsnap_connection *connection, struct tlsnap_search *search,
					 struct tlsnap_search *other)
{
	if (search->handshake_type == TLSNAP_SERVER_HELLO) {
		if (connection->retried || !(search->flags & TLSNAP_FLAG_FRAGMENTED))
			return;
		connection->retried = 1;
		search_again(other);
	} else if (other->handshake_type == TLSNAP_SERVER_HELLO && other->flags & TLSNAP_FLAG_FRAGMENTED) {
		search_again(other);
	}
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
	expect_retry(connection, search, other);
	if ((__s32)(search->next - search->end) < 0)
		return;
	search->state = TLSNAP_DONE;
	if (search->retry_match >= 8 && !connection->retried) {
		connection->retried = 1;
		search_again(search);
		search_again(other);
	}
}

/*
 * Remembers what lies beyond a hole: when the hole is filled, it does not come again. Of several pieces the first one, which
 * is as good as always the one in which the hello ends.
 */
static __always_inline void keep_ahead(struct tlsnap_search *search, const struct tlsnap_shipment *shipment)
{
	__u32 start = shipment->offset, end = shipment->offset + shipment->length;
	bool none = search->ahead_start == search->ahead_end;

	if (none || (__s32)(end - search->ahead_start) < 0) {
		search->ahead_start = start;
		search->ahead_end = end;
		return;
	}
	if ((__s32)(start - search->ahead_end) > 0)
		return;
	if ((__s32)(start - search->ahead_start) < 0)
		search->ahead_start = start;
	if ((__s32)(end - search->ahead_end) > 0)
		search->ahead_end = end;
}

/* Goes on behind what came ahead, where that is reached. */
static __always_inline void pass_ahead(struct tlsnap_search *search)
{
	if (search->ahead_start == search->ahead_end || (__s32)(search->next - search->ahead_start) < 0)
		return;
	if ((__s32)(search->ahead_end - search->next) > 0)
		search->next = search->ahead_end;
	search->ahead_start = 0;
	search->ahead_end = 0;
}

/*
 * What precedes this segment is on its way again, this is not: what may be of a hello is kept now, and user space decides. A
 * hole that is not filled within the budget of segments never is, and nothing of the connection must be kept for it.
 */
static __always_inline void follow_ahead(struct __sk_buff *skb, struct tlsnap_connection *connection,
					 struct tlsnap_search *search, struct tlsnap_shipment *shipment)
{
	bool shipping = search->state == TLSNAP_SHIPPING;
	bool near = shipment->offset - search->next <= TLSNAP_GAP_MAX;

	if (shipping && near && (__s32)(shipment->offset - search->end) < 0) {
		keep_ahead(search, shipment);
		ship_segment(skb, connection, search, shipment);
		return;
	}
	if (search->segments >= tlsnap_segment_budget) {
		search->state = shipping ? TLSNAP_DONE : TLSNAP_EXHAUSTED;
		count(TLSNAP_COUNT_EXHAUSTED);
		return;
	}
	search->segments++;
	if (!near)
		return;
	keep_ahead(search, shipment);
	if (shipping)
		return;
	shipment->flags = TLSNAP_CHUNK_SPECULATIVE;
	ship(skb, shipment);
	count(TLSNAP_COUNT_SPECULATIVE);
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
		follow_ahead(skb, connection, search, &shipment);
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
	/* In the middle of a head, what came ahead may be its rest, of which the bytes are not here any more. */
	if (search->state != TLSNAP_HEAD)
		pass_ahead(search);
	settle(connection, search, other);
}

#endif
