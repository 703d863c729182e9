// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* What any cgroup_skb program costs, because it is one: the measure that packet.ts holds ours against. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("cgroup_skb/egress")
int bench_out(struct __sk_buff *skb)
{
	return 1;
}

SEC("cgroup_skb/ingress")
int bench_in(struct __sk_buff *skb)
{
	return 1;
}
