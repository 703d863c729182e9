/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * MD5 (RFC 1321) and SHA-256 (FIPS 180-4) of the string in this CPU's scratch memory.
 *
 * One block is a global function with nothing but an offset as argument: the verifier proves it once, straight through,
 * and need not follow the state from block to block, because that lies in map memory.
 */
#ifndef TLSNAP_DIGEST_H
#define TLSNAP_DIGEST_H

#include "scratch.h"

static __always_inline __u32 rotate_left(__u32 value, int bits)
{
	return value << bits | value >> (32 - bits);
}

static __always_inline __u32 rotate_right(__u32 value, int bits)
{
	return rotate_left(value, 32 - bits);
}

#define MD5_F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define MD5_G(b, c, d) (((c) & ~(d)) + ((b) & (d)))
#define MD5_H(b, c, d) ((b) ^ (c) ^ (d))
#define MD5_I(b, c, d) ((c) ^ ((b) | ~(d)))
#define MD5_ROUND(mix, a, b, c, d, word, constant, shift) \
	a = rotate_left(a + mix(b, c, d) + block[word] + constant, shift) + b

/* RFC 1321 section 3.4: the constants are 2^32 times |sin(1)| to |sin(64)|. Words are little-endian, as the CPU's. */
static __always_inline void md5_block(struct tlsnap_scratch *memory, __u32 at)
{
	const __u32 *block = (const __u32 *)&memory->string[at];
	__u32 a, b, c, d;

	a = memory->md5[0];
	b = memory->md5[1];
	c = memory->md5[2];
	d = memory->md5[3];
	MD5_ROUND(MD5_F, a, b, c, d, 0, 0xd76aa478U, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 1, 0xe8c7b756U, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 2, 0x242070dbU, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 3, 0xc1bdceeeU, 22);
	MD5_ROUND(MD5_F, a, b, c, d, 4, 0xf57c0fafU, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 5, 0x4787c62aU, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 6, 0xa8304613U, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 7, 0xfd469501U, 22);
	MD5_ROUND(MD5_F, a, b, c, d, 8, 0x698098d8U, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 9, 0x8b44f7afU, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 10, 0xffff5bb1U, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 11, 0x895cd7beU, 22);
	MD5_ROUND(MD5_F, a, b, c, d, 12, 0x6b901122U, 7);
	MD5_ROUND(MD5_F, d, a, b, c, 13, 0xfd987193U, 12);
	MD5_ROUND(MD5_F, c, d, a, b, 14, 0xa679438eU, 17);
	MD5_ROUND(MD5_F, b, c, d, a, 15, 0x49b40821U, 22);
	MD5_ROUND(MD5_G, a, b, c, d, 1, 0xf61e2562U, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 6, 0xc040b340U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 11, 0x265e5a51U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 0, 0xe9b6c7aaU, 20);
	MD5_ROUND(MD5_G, a, b, c, d, 5, 0xd62f105dU, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 10, 0x02441453U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 15, 0xd8a1e681U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 4, 0xe7d3fbc8U, 20);
	MD5_ROUND(MD5_G, a, b, c, d, 9, 0x21e1cde6U, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 14, 0xc33707d6U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 3, 0xf4d50d87U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 8, 0x455a14edU, 20);
	MD5_ROUND(MD5_G, a, b, c, d, 13, 0xa9e3e905U, 5);
	MD5_ROUND(MD5_G, d, a, b, c, 2, 0xfcefa3f8U, 9);
	MD5_ROUND(MD5_G, c, d, a, b, 7, 0x676f02d9U, 14);
	MD5_ROUND(MD5_G, b, c, d, a, 12, 0x8d2a4c8aU, 20);
	MD5_ROUND(MD5_H, a, b, c, d, 5, 0xfffa3942U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 8, 0x8771f681U, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 11, 0x6d9d6122U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 14, 0xfde5380cU, 23);
	MD5_ROUND(MD5_H, a, b, c, d, 1, 0xa4beea44U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 4, 0x4bdecfa9U, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 7, 0xf6bb4b60U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 10, 0xbebfbc70U, 23);
	MD5_ROUND(MD5_H, a, b, c, d, 13, 0x289b7ec6U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 0, 0xeaa127faU, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 3, 0xd4ef3085U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 6, 0x04881d05U, 23);
	MD5_ROUND(MD5_H, a, b, c, d, 9, 0xd9d4d039U, 4);
	MD5_ROUND(MD5_H, d, a, b, c, 12, 0xe6db99e5U, 11);
	MD5_ROUND(MD5_H, c, d, a, b, 15, 0x1fa27cf8U, 16);
	MD5_ROUND(MD5_H, b, c, d, a, 2, 0xc4ac5665U, 23);
	MD5_ROUND(MD5_I, a, b, c, d, 0, 0xf4292244U, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 7, 0x432aff97U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 14, 0xab9423a7U, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 5, 0xfc93a039U, 21);
	MD5_ROUND(MD5_I, a, b, c, d, 12, 0x655b59c3U, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 3, 0x8f0ccc92U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 10, 0xffeff47dU, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 1, 0x85845dd1U, 21);
	MD5_ROUND(MD5_I, a, b, c, d, 8, 0x6fa87e4fU, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 15, 0xfe2ce6e0U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 6, 0xa3014314U, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 13, 0x4e0811a1U, 21);
	MD5_ROUND(MD5_I, a, b, c, d, 4, 0xf7537e82U, 6);
	MD5_ROUND(MD5_I, d, a, b, c, 11, 0xbd3af235U, 10);
	MD5_ROUND(MD5_I, c, d, a, b, 2, 0x2ad7d2bbU, 15);
	MD5_ROUND(MD5_I, b, c, d, a, 9, 0xeb86d391U, 21);
	memory->md5[0] += a;
	memory->md5[1] += b;
	memory->md5[2] += c;
	memory->md5[3] += d;
}

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
 * BPF has no rotation, and three shifts, an or and a move for each of six rotations a round were most of the work. With the
 * word twice in 64 bits a rotation is one shift, and three of them nest: x >>> 6 ^ x >>> 11 ^ x >>> 25 is
 * ((x >>> 14 ^ x) >>> 5 ^ x) >>> 6. The barriers keep clang from undoing that. The upper half of a result is to be cut off.
 */
static __always_inline __u64 word_twice(__u64 word)
{
	__u64 twice = word << 32;

	asm("" : "+r"(twice));
	return twice | word;
}

static __always_inline __u64 mix_rotations(__u64 twice, int third, int second, int first)
{
	__u64 mixed = twice >> third ^ twice;

	asm("" : "+r"(mixed));
	mixed = mixed >> second ^ twice;
	asm("" : "+r"(mixed));
	return mixed >> first;
}

static __always_inline __u32 mix_schedule(__u64 twice, int second, int first, int shift)
{
	__u64 mixed = twice >> second ^ twice;

	asm("" : "+r"(mixed));
	return (__u32)(mixed >> first) ^ (__u32)twice >> shift;
}

/*
 * FIPS 180-4 section 6.2.2. The schedule is a ring of 16 words, each twice, extended as the rounds go. Ten registers do not
 * hold eight state words and what a round computes with: what was `a` four rounds ago is `d`, what was `e` is `h`, and in
 * between they lie in memory; `c` is never needed, because b ^ c of a round is a ^ b of the round before.
 */
static __always_inline void sha256_block(struct tlsnap_scratch *memory, __u32 at)
{
	const __u32 *block = (const __u32 *)&memory->string[at];
	volatile __u64 schedule[16];
	volatile __u32 as[4], es[4];
	__u64 a, e;
	__u32 b, f, g, changed;

#pragma unroll
	for (int i = 0; i < 16; i++)
		schedule[i] = word_twice(bpf_ntohl(block[i]));
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
#pragma unroll
	for (int i = 0; i < 64; i++) {
		__u32 sum, word, toggled;

		word = schedule[i & 15];
		if (i >= 16) {
			word += mix_schedule(schedule[(i + 1) & 15], 11, 7, 3);
			word += mix_schedule(schedule[(i + 14) & 15], 2, 17, 10);
			word += (__u32)schedule[(i + 9) & 15];
			schedule[i & 15] = word_twice(word);
		}
		sum = es[i & 3] + sha256_constants[i] + word + (g ^ ((__u32)e & (f ^ g)));
		sum += (__u32)mix_rotations(word_twice(e), 14, 5, 6);
		g = f;
		f = e;
		e = as[i & 3] + sum;
		es[i & 3] = e;
		toggled = (__u32)a ^ b;
		sum += b ^ (toggled & changed);
		sum += (__u32)mix_rotations(word_twice(a), 9, 11, 2);
		as[i & 3] = sum;
		changed = toggled;
		b = a;
		a = sum;
		/* One round after the other, or more is alive at a time than registers hold. */
		asm volatile("" : "+r"(a), "+r"(e));
	}
#pragma unroll
	for (int i = 0; i < 4; i++) {
		memory->sha256[3 - i] += as[i];
		memory->sha256[7 - i] += es[i];
	}
}

/*
 * Pads the string (both standards: a one bit, zeros, the length in bits as the last eight bytes). Returns where the last
 * block begins, whose end the length is: the two differ in its byte order.
 */
static __always_inline __u32 pad_string(struct tlsnap_scratch *memory)
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
	return last;
}

#define TLSNAP_BLOCKS_MAX ((TLSNAP_JA3_STRING_MAX + 9 + TLSNAP_DIGEST_BLOCK - 1) / TLSNAP_DIGEST_BLOCK)

/* Bit lengths are below 2^16 here, so two bytes of the length field are enough. */
__noinline int md5_string(void)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 last;

	if (!memory)
		return -1;
	last = pad_string(memory);
	memory->string[last + 56] = memory->length << 3;
	memory->string[last + 57] = memory->length >> 5;
	memory->md5[0] = 0x67452301;
	memory->md5[1] = 0xefcdab89;
	memory->md5[2] = 0x98badcfe;
	memory->md5[3] = 0x10325476;
	for (__u32 i = 0; i < TLSNAP_BLOCKS_MAX; i++) {
		if (i * TLSNAP_DIGEST_BLOCK > last)
			break;
		md5_block(memory, i * TLSNAP_DIGEST_BLOCK);
	}
	return 0;
}

__noinline int sha256_string(void)
{
	struct tlsnap_scratch *memory = get_scratch();
	__u32 last;

	if (!memory)
		return -1;
	last = pad_string(memory);
	memory->string[last + 63] = memory->length << 3;
	memory->string[last + 62] = memory->length >> 5;
	memory->sha256[0] = 0x6a09e667;
	memory->sha256[1] = 0xbb67ae85;
	memory->sha256[2] = 0x3c6ef372;
	memory->sha256[3] = 0xa54ff53a;
	memory->sha256[4] = 0x510e527f;
	memory->sha256[5] = 0x9b05688c;
	memory->sha256[6] = 0x1f83d9ab;
	memory->sha256[7] = 0x5be0cd19;
	for (__u32 i = 0; i < TLSNAP_BLOCKS_MAX; i++) {
		if (i * TLSNAP_DIGEST_BLOCK > last)
			break;
		sha256_block(memory, i * TLSNAP_DIGEST_BLOCK);
	}
	return 0;
}

#endif
