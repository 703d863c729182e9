// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* A line for each socket for which a map of socket storage keeps something: its two ports. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* As much of the kernel's structures as is looked at; their places come from its BTF. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock_common {
	__be16 skc_dport;
	__u16 skc_num;
};
struct sock {
	struct sock_common __sk_common;
};
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct sock *sk;
	void *value;
};
#pragma clang attribute pop

SEC("iter/bpf_sk_storage_map")
int kept_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	static const char format[] = "%u %u\n";
	struct sock *sk = ctx->sk;
	__u64 ports[2];

	if (!sk || !ctx->value)
		return 0;
	ports[0] = sk->__sk_common.skc_num;
	ports[1] = __builtin_bswap16(sk->__sk_common.skc_dport);
	bpf_seq_printf(ctx->meta->seq, format, sizeof(format), ports, sizeof(ports));
	return 0;
}
