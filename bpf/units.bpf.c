// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The parts of the capture that can be tested one by one with BPF_PROG_TEST_RUN. Only tests load this object.
 * The packet is the input: a ClientHello, or a string to hash. The scratch map holds the result.
 */
#include "programs.h"
#include "ja3.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* test_run wants a link-layer header, whatever is in it, and some kernels a byte behind it. */
#define TLSNAP_UNIT_HEADER 15

/* MD5 alone, to tell what it takes: the capture makes both digests at once. */
__noinline int md5_string(void)
{
	struct tlsnap_scratch *memory = get_scratch();

	if (!memory)
		return -1;
	begin_digests(memory);
	for (__u32 i = 0; i < TLSNAP_BLOCKS_MAX; i++) {
		if (i * TLSNAP_DIGEST_BLOCK > memory->last)
			break;
		md5_block(memory, i * TLSNAP_DIGEST_BLOCK, false);
	}
	return 0;
}

/* 0 where the handshake message in the packet has a JA3 string. */
SEC("tc")
int unit_ja3_string(struct __sk_buff *skb)
{
	return ja3_string(skb, TLSNAP_UNIT_HEADER, skb->len - TLSNAP_UNIT_HEADER);
}

SEC("tc")
int unit_ja3_md5(struct __sk_buff *skb)
{
	return ja3_string(skb, TLSNAP_UNIT_HEADER, skb->len - TLSNAP_UNIT_HEADER) || md5_string();
}

SEC("tc")
int unit_ja3_both(struct __sk_buff *skb)
{
	return ja3_string(skb, TLSNAP_UNIT_HEADER, skb->len - TLSNAP_UNIT_HEADER) || hash_string();
}

/* Hashes the packet itself as if it were a JA3 string. */
SEC("tc")
int unit_digests(struct __sk_buff *skb)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 length = skb->len - TLSNAP_UNIT_HEADER;

	if (!memory || length >= TLSNAP_JA3_STRING_MAX)
		return -1;
	memory->length = length;
	if (length > 0) {
		length = ((length - 1) & (TLSNAP_JA3_STRING_MAX - 1)) + 1;
		if (bpf_skb_load_bytes(skb, TLSNAP_UNIT_HEADER, memory->string, length))
			return -1;
	}
	return hash_string();
}
