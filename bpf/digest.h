/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MD5 (RFC 1321) and SHA-256 (FIPS 180-4) of the string in this CPU's scratch memory, both at once.
 *
 * One block is a global function with nothing but an offset as argument: the verifier proves it once, straight through,
 * and need not follow the state from block to block, because that lies in map memory.
 *
 * Each step of MD5 waits for the one before and leaves half of a processor's units idle; the words of SHA-256's schedule do
 * not, and are computed in between, at little cost. SHA-256's rounds come last, as a loop: unrolled, they do not fit into
 * what a processor keeps of decoded instructions.
 */
#ifndef TLSNAP_DIGEST_H
#define TLSNAP_DIGEST_H

#include "scratch.h"

#define TLSNAP_BLOCKS_A_CALL 5

/* FIPS 180-4 section 4.2.2: the fractional parts of the cube roots of the first 64 primes. */
static const __u32 sha256_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

/*
 * The value is computed here, where clang would not leave it: in clang's order more values are alive than ten registers hold, and the
 * operations come back that are saved below, for which a processor has only four units.
 */
static __always_inline __u64 here(__u64 value)
{
	asm volatile("" : "+r"(value));
	return value;
}

/*
 * BPF has no rotation, and three shifts, an or and a move for each of six rotations a round were most of the work. With the
 * word twice in 64 bits, which this makes by one multiplication, a rotation is one shift. The upper half of what comes of
 * that is to be cut off.
 */
#define TLSNAP_TWICE 0x100000001ULL

/* A word, twice, rotated right by each of three counts, all xored. */
static __always_inline __u64 mix_rotations(__u64 twice, int first, int second, int third)
{
	__u64 mixed = here(twice >> first);
	__u64 other = here(twice >> second);

	mixed = here(mixed ^ other);
	twice = here(twice >> third);
	return here(mixed ^ twice);
}

/* x >>> 7 ^ x >>> 18 is (x >>> 11 ^ x) >>> 7: one shift and one register less, and nothing waits for it. */
static __always_inline __u32 mix_schedule(__u64 twice, int second, int first, int shift)
{
	__u64 mixed = here(twice >> second ^ twice);

	return (__u32)(mixed >> first) ^ (__u32)twice >> shift;
}

/* Word `t` of the schedule (FIPS 180-4 section 6.2.2 step 1) from a ring of the last 16, each twice; its constant added. */
static __always_inline void extend_schedule(struct tlsnap_scratch *memory, volatile __u64 *ring, __u64 twice, const int t)
{
	__u32 word = ring[t & 15];

	word += mix_schedule(ring[(t + 1) & 15], 11, 7, 3);
	word += mix_schedule(ring[(t + 14) & 15], 2, 17, 10);
	word += (__u32)ring[(t + 9) & 15];
	memory->schedule[t] = word + sha256_constants[t];
	ring[t & 15] = word * twice;
}

/*
 * The first 16 words are the block's. The last block ends with the length in bits, which MD5 wants least significant byte first
 * and the string holds so; it is put together here as SHA-256 wants it. Without a branch, or the verifier would go both ways.
 */
static __always_inline void begin_schedule(struct tlsnap_scratch *memory, volatile __u64 *ring, __u64 twice, __u32 at)
{
	const __u32 *block = (const __u32 *)&memory->string[at];
	__u32 not_last = (__s32)here(at - memory->last) >> 31;

#pragma unroll
	for (int i = 0; i < 16; i++) {
		__u32 word = bpf_ntohl(block[i]);

		if (i >= 14)
			word &= not_last;
		if (i == 15)
			word |= memory->length << 3 & ~not_last;
		memory->schedule[i] = word + sha256_constants[i];
		ring[i] = word * twice;
	}
}

static __always_inline __u32 rotate_left(__u32 value, int bits)
{
	return value << bits | value >> (32 - bits);
}

#define MD5_F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define MD5_G(b, c, d) (((c) & ~(d)) + ((b) & (d)))
#define MD5_H(b, c, d) ((b) ^ (c) ^ (d))
#define MD5_I(b, c, d) ((c) ^ ((b) | ~(d)))
#define MD5_ROUND(mix, a, b, c, d, word, constant, shift) \
	a = rotate_left(a + mix(b, c, d) + block[word] + constant, shift) + b

/* Three words at a time, on the way through MD5. */
#define EXTEND(t)                                                      \
	do {                                                           \
		if (with_schedule) {                                   \
			extend_schedule(memory, ring, twice, t);       \
			extend_schedule(memory, ring, twice, (t) + 1); \
			extend_schedule(memory, ring, twice, (t) + 2); \
		}                                                      \
	} while (0)

/*
 * A block of MD5 and, `with_schedule`, the schedule of SHA-256 for it.
 * RFC 1321 section 3.4: the constants are 2^32 times |sin(1)| to |sin(64)|. Words are little-endian, as the CPU's.
 */
static __always_inline void md5_block(struct tlsnap_scratch *memory, __u32 at, const bool with_schedule)
{
	const __u32 *block = (const __u32 *)&memory->string[at];
	__u64 twice = here(TLSNAP_TWICE);
	volatile __u64 ring[16];
	__u32 a, b, c, d;

	if (with_schedule)
		begin_schedule(memory, ring, twice, at);
	a = memory->md5[0];
	b = memory->md5[1];
	c = memory->md5[2];
	d = memory->md5[3];
	MD5_ROUND(MD5_F, a, b, c, d, 0, 0xd76aa478U, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 1, 0xe8c7b756U, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 2, 0x242070dbU, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 3, 0xc1bdceeeU, 22);
	EXTEND(16);
	MD5_ROUND(MD5_F, a, b, c, d, 4, 0xf57c0fafU, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 5, 0x4787c62aU, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 6, 0xa8304613U, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 7, 0xfd469501U, 22);
	EXTEND(19);
	MD5_ROUND(MD5_F, a, b, c, d, 8, 0x698098d8U, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 9, 0x8b44f7afU, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 10, 0xffff5bb1U, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 11, 0x895cd7beU, 22);
	EXTEND(22);
	MD5_ROUND(MD5_F, a, b, c, d, 12, 0x6b901122U, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 13, 0xfd987193U, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 14, 0xa679438eU, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 15, 0x49b40821U, 22);
	EXTEND(25);
	MD5_ROUND(MD5_G, a, b, c, d, 1, 0xf61e2562U, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 6, 0xc040b340U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 11, 0x265e5a51U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 0, 0xe9b6c7aaU, 20);
	EXTEND(28);
	MD5_ROUND(MD5_G, a, b, c, d, 5, 0xd62f105dU, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 10, 0x02441453U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 15, 0xd8a1e681U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 4, 0xe7d3fbc8U, 20);
	EXTEND(31);
	MD5_ROUND(MD5_G, a, b, c, d, 9, 0x21e1cde6U, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 14, 0xc33707d6U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 3, 0xf4d50d87U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 8, 0x455a14edU, 20);
	EXTEND(34);
	MD5_ROUND(MD5_G, a, b, c, d, 13, 0xa9e3e905U, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 2, 0xfcefa3f8U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 7, 0x676f02d9U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 12, 0x8d2a4c8aU, 20);
	EXTEND(37);
	MD5_ROUND(MD5_H, a, b, c, d, 5, 0xfffa3942U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 8, 0x8771f681U, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 11, 0x6d9d6122U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 14, 0xfde5380cU, 23);
	EXTEND(40);
	MD5_ROUND(MD5_H, a, b, c, d, 1, 0xa4beea44U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 4, 0x4bdecfa9U, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 7, 0xf6bb4b60U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 10, 0xbebfbc70U, 23);
	EXTEND(43);
	MD5_ROUND(MD5_H, a, b, c, d, 13, 0x289b7ec6U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 0, 0xeaa127faU, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 3, 0xd4ef3085U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 6, 0x04881d05U, 23);
	EXTEND(46);
	MD5_ROUND(MD5_H, a, b, c, d, 9, 0xd9d4d039U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 12, 0xe6db99e5U, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 15, 0x1fa27cf8U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 2, 0xc4ac5665U, 23);
	EXTEND(49);
	MD5_ROUND(MD5_I, a, b, c, d, 0, 0xf4292244U, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 7, 0x432aff97U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 14, 0xab9423a7U, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 5, 0xfc93a039U, 21);
	EXTEND(52);
	MD5_ROUND(MD5_I, a, b, c, d, 12, 0x655b59c3U, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 3, 0x8f0ccc92U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 10, 0xffeff47dU, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 1, 0x85845dd1U, 21);
	EXTEND(55);
	MD5_ROUND(MD5_I, a, b, c, d, 8, 0x6fa87e4fU, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 15, 0xfe2ce6e0U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 6, 0xa3014314U, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 13, 0x4e0811a1U, 21);
	EXTEND(58);
	MD5_ROUND(MD5_I, a, b, c, d, 4, 0xf7537e82U, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 11, 0xbd3af235U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 2, 0x2ad7d2bbU, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 9, 0xeb86d391U, 21);
	EXTEND(61);
	memory->md5[0] += a;
	memory->md5[1] += b;
	memory->md5[2] += c;
	memory->md5[3] += d;
}

/*
 * FIPS 180-4 section 6.2.2 steps 2 to 4. Ten registers do not hold eight state words and what a round computes with: what was
 * `a` four rounds ago is `d`, what was `e` is `h`, and in between they lie in memory; `c` is never needed, because b ^ c
 * of a round is a ^ b of the round before.
 */
static __always_inline void sha256_rounds(struct tlsnap_scratch *memory)
{
	const volatile __u32 *schedule = memory->schedule;
	volatile __u64 twice = TLSNAP_TWICE;
	volatile __u32 as[4], es[4];
	__u64 a, b, changed, e, f, g;

#pragma unroll
	for (int i = 0; i < 4; i++) {
		as[i] = memory->sha256[3 - i];
		es[i] = memory->sha256[7 - i];
	}
	a = as[3];
	b = as[2];
	changed = b ^ as[1];
	e = es[3];
	f = es[2];
	g = es[1];
#pragma clang loop unroll(disable)
	for (int t = 0; t < 64; t += 4) {
#pragma unroll
		for (int i = 0; i < 4; i++) {
			__u64 mixed = mix_rotations(here(twice * e), 6, 11, 25);
			__u32 sum = here(es[i] + schedule[i]);
			__u64 term = here(here(here(f ^ g) & e) ^ g);

			sum = here(sum + (__u32)term);
			sum = here(sum + (__u32)mixed);
			g = f;
			f = e;
			e = here((__u32)(as[i] + sum));
			es[i] = e;
			term = here(a ^ b);
			changed = here(here(changed & term) ^ b);
			sum = here(sum + (__u32)changed);
			changed = term;
			b = a;
			/* Not by a second multiplication: those have one unit. */
			mixed = mix_rotations(here(here(a << 32) | a), 2, 13, 22);
			a = here((__u32)(sum + (__u32)mixed));
			as[i] = a;
		}
		schedule += 4;
		asm volatile("" : "+r"(schedule));
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		memory->sha256[3 - i] += as[i];
		memory->sha256[7 - i] += es[i];
	}
}

/*
 * Some blocks from `at` on. Curl's string has five; each more costs the verifier 5,000 instructions, and each call 10 ns
 * where the kernel guards returns (SRSO).
 */
__noinline int hash_blocks(__u32 at)
{
	struct tlsnap_scratch *memory = get_scratch();

	if (!memory)
		return -1;
	for (int i = 0; i < TLSNAP_BLOCKS_A_CALL; i++) {
		if (at > memory->last || at >= TLSNAP_JA3_STRING_MAX + TLSNAP_DIGEST_BLOCK)
			break;
		md5_block(memory, at, true);
		sha256_rounds(memory);
		at += TLSNAP_DIGEST_BLOCK;
	}
	return 0;
}

/*
 * Pads the string (both standards: a one bit, zeros, the length in bits as the last eight bytes), notes where the last block
 * begins, and sets both digests to their first values. Bit lengths are below 2^16 here, so two bytes of the length are enough.
 */
static __always_inline void begin_digests(struct tlsnap_scratch *memory)
{
	__u32 length = memory->length;
	__u32 last;

	/* At most a block and 9 bytes follow the string. The mask is for the verifier: the length was checked before. */
	asm volatile("" : "+r"(length));
	length &= TLSNAP_JA3_STRING_MAX - 1;
#pragma unroll
	for (int i = 0; i < 9; i++)
		store_u64(&memory->string[length + 8 * i], 0);
	memory->string[length] = 0x80;
	last = (length + 8) & ~(TLSNAP_DIGEST_BLOCK - 1);
	/* Or clang would or the end's offset to it, of which the verifier forgets how large it may be. */
	asm volatile("" : "+r"(last));
	memory->string[last + 56] = length << 3;
	memory->string[last + 57] = length >> 5;
	memory->last = last;
	memory->md5[0] = 0x67452301;
	memory->md5[1] = 0xefcdab89;
	memory->md5[2] = 0x98badcfe;
	memory->md5[3] = 0x10325476;
	memory->sha256[0] = 0x6a09e667;
	memory->sha256[1] = 0xbb67ae85;
	memory->sha256[2] = 0x3c6ef372;
	memory->sha256[3] = 0xa54ff53a;
	memory->sha256[4] = 0x510e527f;
	memory->sha256[5] = 0x9b05688c;
	memory->sha256[6] = 0x1f83d9ab;
	memory->sha256[7] = 0x5be0cd19;
}

#define TLSNAP_BLOCKS_MAX ((TLSNAP_JA3_STRING_MAX + 9 + TLSNAP_DIGEST_BLOCK - 1) / TLSNAP_DIGEST_BLOCK)

/* Leaves MD5 and SHA-256 of the string in `md5` and `sha256`, as words of this CPU. */
__noinline int hash_string(void)
{
	struct tlsnap_scratch *memory = get_scratch();

	if (!memory)
		return -1;
	begin_digests(memory);
	for (__u32 i = 0; i < TLSNAP_BLOCKS_MAX; i += TLSNAP_BLOCKS_A_CALL) {
		if (i * TLSNAP_DIGEST_BLOCK > memory->last)
			break;
		hash_blocks(i * TLSNAP_DIGEST_BLOCK);
	}
	return 0;
}

#endif
