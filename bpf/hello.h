/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Finds hellos in a stream of segments and ships their bytes. Nothing here understands more of TLS than is needed to
 * know where a hello begins and how long it is; user space reassembles and parses.
 */
#ifndef TLSNAP_HELLO_H
#define TLSNAP_HELLO_H

#include "programs.h"
#include "recorder.h"
#include "segment.h"

enum tlsnap_verdict {
	TLSNAP_NO_HELLO,
	TLSNAP_TOO_SHORT, /* what is there may begin a hello */
	TLSNAP_HELLO,
	TLSNAP_HELLO_SSLV2,
};

#define TLSNAP_CONTENT_HANDSHAKE 22 /* RFC 8446 section 5.1 */
#define TLSNAP_CONTENT_CHANGE_CIPHER_SPEC 20
#define TLSNAP_CLIENT_HELLO 1 /* RFC 8446 section 4 */
#define TLSNAP_SERVER_HELLO 2
#define TLSNAP_RECORD_HEADER 5
#define TLSNAP_HANDSHAKE_HEADER 4
#define TLSNAP_RECORD_MAX 16640 /* 2^14 + 256, what implementations accept */
#define TLSNAP_RANDOM_OFFSET (TLSNAP_RECORD_HEADER + TLSNAP_HANDSHAKE_HEADER + 2)
#define TLSNAP_CCS_LENGTH 6
#define TLSNAP_HEAD_NEEDED 11 /* the longer one: SSLv2's */

/*
 * Judges the first `have` bytes of a segment. RFC 8446 sections 4 and 5.1: type 22, version 3.x, a length, then
 * type 1 or 2 with its own length.
 */
static __always_inline enum tlsnap_verdict judge_tls(const __u8 *head, __u32 have, struct tlsnap_search *search)
{
	__u32 record, message;

	if (head[0] != TLSNAP_CONTENT_HANDSHAKE)
		return TLSNAP_NO_HELLO;
	if (have > 1 && head[1] != 3)
		return TLSNAP_NO_HELLO;
	if (have > 2 && head[2] > 4)
		return TLSNAP_NO_HELLO;
	record = head[3] << 8 | head[4];
	if (have > 4 && (record == 0 || record > TLSNAP_RECORD_MAX))
		return TLSNAP_NO_HELLO;
	if (have > 5 && head[5] != TLSNAP_CLIENT_HELLO && head[5] != TLSNAP_SERVER_HELLO)
		return TLSNAP_NO_HELLO;
	if (have > 6 && record > 1 && head[6] > 1)
		return TLSNAP_NO_HELLO;
	if (have < TLSNAP_RECORD_HEADER + TLSNAP_HANDSHAKE_HEADER)
		return TLSNAP_TOO_SHORT;

	search->handshake_type = head[5];
	if (record < TLSNAP_HANDSHAKE_HEADER) {
		/* Even the length lies in several records: take as much as is ever taken. */
		search->flags |= TLSNAP_FLAG_FRAGMENTED;
		search->end = search->start + TLSNAP_HELLO_MAX;
		return TLSNAP_HELLO;
	}
	message = TLSNAP_HANDSHAKE_HEADER + ((__u32)head[6] << 16 | head[7] << 8 | head[8]);
	if (message > record) {
		/* Every byte may come in a record of its own, with five bytes of header. */
		search->flags |= TLSNAP_FLAG_FRAGMENTED;
		message *= 1 + TLSNAP_RECORD_HEADER;
	} else {
		message += TLSNAP_RECORD_HEADER;
	}
	if (message > TLSNAP_HELLO_MAX) {
		if (!(search->flags & TLSNAP_FLAG_FRAGMENTED))
			count(TLSNAP_COUNT_TRUNCATED);
		message = TLSNAP_HELLO_MAX;
	}
	search->end = search->start + message;
	return TLSNAP_HELLO;
}

/*
 * RFC 5246 appendix E.2: a two-byte header with the top bit set, type 1, version, three lengths that add up.
 * Weak as patterns go, so it counts only at the very start of a stream.
 */
static __always_inline enum tlsnap_verdict judge_sslv2(const __u8 *head, __u32 have, struct tlsnap_search *search)
{
	__u32 length, ciphers, session, challenge;

	if (search->start != 0 || !(head[0] & 0x80))
		return TLSNAP_NO_HELLO;
	if (have > 2 && head[2] != TLSNAP_CLIENT_HELLO)
		return TLSNAP_NO_HELLO;
	/* Version 0x0002 (SSL 2) or 0x03xx. */
	if (have > 3 && head[3] != 3 && head[3] != 0)
		return TLSNAP_NO_HELLO;
	if (have < TLSNAP_HEAD_NEEDED)
		return TLSNAP_TOO_SHORT;
	length = (head[0] & 0x7f) << 8 | head[1];
	ciphers = head[5] << 8 | head[6];
	session = head[7] << 8 | head[8];
	challenge = head[9] << 8 | head[10];
	if (ciphers == 0 || ciphers % 3 || challenge < 8 || challenge > 32 ||
	    length != 9 + ciphers + session + challenge)
		return TLSNAP_NO_HELLO;
	search->handshake_type = TLSNAP_CLIENT_HELLO;
	search->flags |= TLSNAP_FLAG_SSLV2;
	search->end = search->start + 2 + length;
	return TLSNAP_HELLO_SSLV2;
}

static __noinline int judge(struct tlsnap_search *search)
{
	enum tlsnap_verdict verdict;

	if (!search || search->have == 0)
		return TLSNAP_TOO_SHORT;
	verdict = judge_tls(search->head, search->have, search);
	if (verdict == TLSNAP_NO_HELLO)
		verdict = judge_sslv2(search->head, search->have, search);
	return verdict;
}

/* Copies the bytes that `head` still lacks from the packet, as far as it has them. */
static __noinline int fill_head(struct __sk_buff *skb, struct tlsnap_search *search, __u32 at, __u32 length)
{
	if (!search)
		return 0;
	if (search->have == 0 && length >= TLSNAP_HEAD_NEEDED) {
		if (bpf_skb_load_bytes(skb, at, search->head, TLSNAP_HEAD_NEEDED) == 0)
			search->have = TLSNAP_HEAD_NEEDED;
		return 0;
	}
	for (__u32 i = 0; i < TLSNAP_HEAD_NEEDED; i++) {
		__u32 have = search->have;

		if (have >= TLSNAP_HEAD_NEEDED || i >= length)
			break;
		/* The mask says again what the test says, in the form that the verifier follows. */
		asm volatile("" : "+r"(have));
		if (bpf_skb_load_bytes(skb, at + i, &search->head[have & (TLSNAP_HEAD_LENGTH - 1)], 1))
			break;
		search->have = have + 1;
	}
	return 0;
}

/* A hello is lost where its first chunk is, and cut where a later one is; never both, so that the sums add up. */
static __always_inline void lose_chunk(struct tlsnap_search *search, __u8 flags)
{
	count(TLSNAP_COUNT_LOST_CHUNKS);
	if (flags & TLSNAP_CHUNK_SPECULATIVE || search->flags & TLSNAP_FLAG_LOST)
		return;
	search->flags |= TLSNAP_FLAG_LOST;
	count(search->flags & TLSNAP_FLAG_SHIPPED ? TLSNAP_COUNT_CUT_HELLOS : TLSNAP_COUNT_LOST_HELLOS);
}

struct tlsnap_shipment {
	__u32 at; /* in the packet */
	__u32 offset; /* in the stream */
	__u32 length;
	__u8 direction;
	__u8 flags; /* enum tlsnap_chunk_flags */
	__u16 reserved;
};

static __always_inline void fill_chunk(struct tlsnap_chunk *chunk, struct tlsnap_connection *connection,
				       struct tlsnap_search *search, const struct tlsnap_shipment *shipment,
				       __u32 length)
{
	begin_record(&chunk->record, TLSNAP_RECORD_CHUNK, sizeof(*chunk) + length);
	chunk->flow = connection->flow;
	chunk->owner = connection->owner;
	if (shipment->direction == TLSNAP_EGRESS)
		chunk->sender = connection->sender;
	else
		__builtin_memset(&chunk->sender, 0, sizeof(chunk->sender));
	chunk->hello_offset = shipment->flags & TLSNAP_CHUNK_SPECULATIVE ? ~0U : search->start;
	chunk->stream_offset = shipment->offset;
	if (shipment->flags & TLSNAP_CHUNK_LISTENER) {
		chunk->hello_offset += search->base;
		chunk->stream_offset += search->base;
	}
	chunk->length = length;
	chunk->direction = shipment->direction;
	chunk->role = connection->role;
	chunk->flags = shipment->flags;
	if (search->flags & TLSNAP_FLAG_SSLV2)
		chunk->flags |= TLSNAP_CHUNK_SSLV2;
	chunk->handshake_type = shipment->flags & TLSNAP_CHUNK_SPECULATIVE ? 0 : search->handshake_type;
	if (connection->hashed && chunk->handshake_type == TLSNAP_CLIENT_HELLO) {
		chunk->flags |= TLSNAP_CHUNK_HASHED;
		chunk->ja3 = connection->ja3;
	} else {
		__builtin_memset(&chunk->ja3, 0, sizeof(chunk->ja3));
	}
}

/*
 * Ships up to `capacity` bytes in one record that is written in its place: no scratch buffer, so nothing that softirq or
 * another task on the same CPU could write over. Returns the bytes shipped.
 */
static __always_inline __u32 ship_sized(struct __sk_buff *skb, struct tlsnap_connection *connection,
					struct tlsnap_search *search, const struct tlsnap_shipment *shipment,
					const __u32 capacity)
{
	struct tlsnap_place place = {};
	struct tlsnap_chunk *chunk = open_record(&place, sizeof(*chunk) + capacity);
	__u32 length = shipment->length;

	if (!chunk) {
		lose_chunk(search, shipment->flags);
		return 0;
	}
	/* 5.10 to 6.12 lose a lower bound that is tested for; they keep one that is computed. */
	length = ((length - 1) & (TLSNAP_CHUNK_LARGE - 1)) + 1;
	asm volatile("" : "+r"(length));
	if (length > capacity)
		length = capacity;
	fill_chunk(chunk, connection, search, shipment, length);
	if (bpf_skb_load_bytes(skb, shipment->at, chunk->bytes, length)) {
		discard_record(&place, chunk);
		count(TLSNAP_COUNT_LOST_SEGMENTS);
		lose_chunk(search, shipment->flags);
		return 0;
	}
	close_record(&place, chunk);
	if (!(shipment->flags & TLSNAP_CHUNK_SPECULATIVE))
		search->flags |= TLSNAP_FLAG_SHIPPED;
	count(TLSNAP_COUNT_CHUNKS);
	return length;
}

static __always_inline __u32 ship_once(struct __sk_buff *skb, struct tlsnap_connection *connection,
				       struct tlsnap_search *search, struct tlsnap_shipment *shipment)
{
	if (shipment->length == 0)
		return 0;
	if (shipment->length > TLSNAP_CHUNK_LARGE)
		shipment->length = TLSNAP_CHUNK_LARGE;
	if (tlsnap_recording)
		return ship_sized(skb, connection, search, shipment, TLSNAP_CHUNK_SLOT);
	if (shipment->length <= TLSNAP_CHUNK_SMALL)
		return ship_sized(skb, connection, search, shipment, TLSNAP_CHUNK_SMALL);
	if (shipment->length <= TLSNAP_CHUNK_MEDIUM)
		return ship_sized(skb, connection, search, shipment, TLSNAP_CHUNK_MEDIUM);
	return ship_sized(skb, connection, search, shipment, TLSNAP_CHUNK_LARGE);
}

/*
 * Ships as many of the `length` bytes at `at` of the packet, at `offset` of the stream, as one record holds, and returns
 * how many. Global, so that the verifier proves it once and not once for each caller and state; global functions of
 * 5.10 take scalars only, hence the second look-up of the connection.
 */
__noinline __u32 ship_chunk(struct __sk_buff *skb, __u32 at, __u32 offset, __u32 length, __u32 packed)
{
	struct tlsnap_shipment shipment = {
		.at = at,
		.offset = offset,
		.length = length,
		.direction = packed & 1,
		.flags = packed >> 8,
	};
	struct tlsnap_connection *connection;
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	if (!connection)
		return 0;
	return ship_once(skb, connection, &connection->search[packed & 1], &shipment);
}

static __noinline int ship(struct __sk_buff *skb, struct tlsnap_shipment *shipment)
{
	for (int i = 0; i < TLSNAP_HELLO_MAX / TLSNAP_CHUNK_LARGE; i++) {
		__u32 shipped;

		if (shipment->length == 0)
			break;
		shipped = ship_chunk(skb, shipment->at, shipment->offset, shipment->length,
				     shipment->direction | shipment->flags << 8);
		if (shipped == 0)
			break;
		shipment->at += shipped;
		shipment->offset += shipped;
		shipment->length -= shipped;
		shipment->flags |= TLSNAP_CHUNK_CONTINUED;
	}
	/* Slots are smaller than what a ring takes at once. */
	if (tlsnap_recording && shipment->length > 0 && !(shipment->flags & TLSNAP_CHUNK_SPECULATIVE))
		count(TLSNAP_COUNT_TRUNCATED);
	return 0;
}

/* Ships bytes that are in `head` and no longer in a packet: the first few of a hello that came in tiny segments. */
static __always_inline void ship_head(struct tlsnap_connection *connection, struct tlsnap_search *search,
				      __u8 direction, __u32 length)
{
	struct tlsnap_shipment shipment = { .offset = search->start, .direction = direction };
	struct tlsnap_place place = {};
	struct tlsnap_chunk *chunk = open_record(&place, sizeof(*chunk) + TLSNAP_HEAD_LENGTH);

	if (!chunk) {
		lose_chunk(search, 0);
		return;
	}
	fill_chunk(chunk, connection, search, &shipment, length);
	__builtin_memcpy(chunk->bytes, search->head, TLSNAP_HEAD_LENGTH);
	close_record(&place, chunk);
	search->flags |= TLSNAP_FLAG_SHIPPED;
	count(TLSNAP_COUNT_CHUNKS);
}

/* Tells user space who owns an accepted connection whose hellos went out before that was known. */
static __always_inline void ship_owner(struct tlsnap_connection *connection)
{
	struct tlsnap_search *search = &connection->search[TLSNAP_EGRESS];
	struct tlsnap_shipment shipment = { .offset = search->start, .flags = TLSNAP_CHUNK_OWNER };
	struct tlsnap_place place = {};
	struct tlsnap_chunk *chunk = open_record(&place, sizeof(*chunk));

	if (!chunk) {
		count(TLSNAP_COUNT_LOST_CHUNKS);
		return;
	}
	fill_chunk(chunk, connection, search, &shipment, 0);
	close_record(&place, chunk);
}

/*
 * RFC 8446 section 4.1.3: the random of a HelloRetryRequest is the SHA-256 of "HelloRetryRequest". Its first eight
 * bytes tell it from a ServerHello; user space compares all.
 */
static __always_inline void match_retry(struct __sk_buff *skb, struct tlsnap_search *search,
					const struct tlsnap_shipment *shipment)
{
	static const __u8 retry[8] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11 };
	__u32 first = search->start + TLSNAP_RANDOM_OFFSET;

	if (search->handshake_type != TLSNAP_SERVER_HELLO || search->flags & TLSNAP_FLAG_FRAGMENTED)
		return;
#pragma unroll
	for (__u32 i = 0; i < sizeof(retry); i++) {
		__u32 relative = first + i - shipment->offset;
		__u8 byte;

		if (relative < shipment->length && !bpf_skb_load_bytes(skb, shipment->at + relative, &byte, 1) &&
		    byte == retry[i])
			search->retry_match++;
	}
}

static __always_inline void search_again(struct tlsnap_search *search)
{
	search->state = TLSNAP_SEARCH;
	search->segments = 0;
	search->have = 0;
	search->handshake_type = 0;
	search->retry_match = 0;
	search->flags &= TLSNAP_FLAG_BASED;
}

static __always_inline void recognise(struct tlsnap_connection *connection, struct tlsnap_search *search)
{
	search->state = TLSNAP_SHIPPING;
	search->segments = 0;
	count(search->handshake_type == TLSNAP_CLIENT_HELLO ? TLSNAP_COUNT_CLIENT_HELLOS : TLSNAP_COUNT_SERVER_HELLOS);
	if (!connection->counted)
		count(TLSNAP_COUNT_WITH_HELLO);
	connection->counted = 1;
}

#endif
