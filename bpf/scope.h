/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which connections are followed at all: those of one network namespace, of a process and its descendants, on some ports,
 * or of one direction. What is left out is counted. The cgroup is the place where the programs are attached, so what
 * happens outside it costs nothing, and cannot be counted.
 */
#ifndef TLSNAP_SCOPE_H
#define TLSNAP_SCOPE_H

#include "identity.h"

static __always_inline bool ports_in_scope(__u16 local, __u16 remote)
{
	if (tlsnap_port_count == 0)
		return true;
#pragma unroll
	for (__u32 i = 0; i < TLSNAP_PORTS_MAX; i++) {
		if (i < tlsnap_port_count && (local == tlsnap_ports[i] || remote == tlsnap_ports[i]))
			return true;
	}
	return false;
}

static __always_inline bool process_in_scope(__u32 pid)
{
	return bpf_map_lookup_elem(&scoped_processes, &pid) != NULL;
}

/* Whether a connection with these ends, in this role, is followed. Its process is another question: see below. */
static __always_inline bool ends_in_scope(__u32 netns, __u16 local, __u16 remote, __u8 role)
{
	if (tlsnap_netns && netns != tlsnap_netns)
		return false;
	if (tlsnap_roles && !(tlsnap_roles & 1 << role))
		return false;
	return ports_in_scope(local, remote);
}

/* Only to be asked in process context. */
static __always_inline bool current_in_scope(void)
{
	struct task_struct *task;

	if (!tlsnap_subtree)
		return true;
	task = current_task();
	return process_in_scope(TASK_READ(task, tgid));
}

/*
 * What a process in scope starts is in scope, and stays there when its parent ends and init adopts it. The parent of the
 * tracepoint is the process that called, also under CLONE_PARENT.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(tlsnap_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = child->tgid;
	__u8 present = 1;

	/* A thread is of the same process. */
	if (child->pid != child->tgid || !process_in_scope(parent->tgid))
		return 0;
	if (bpf_map_update_elem(&scoped_processes, &pid, &present, BPF_ANY))
		count(TLSNAP_COUNT_UNSCOPED);
	return 0;
}

#endif
