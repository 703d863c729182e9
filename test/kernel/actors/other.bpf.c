// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Somebody else's program: counts the packets that it sees. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} other_seen SEC(".maps");

SEC("cgroup_skb/egress")
int other_egress(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *seen = bpf_map_lookup_elem(&other_seen, &key);

	if (seen)
		__sync_fetch_and_add(seen, 1);
	return 1;
}
