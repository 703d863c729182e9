/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who acts: the current task, and what is kept of its process. Only to be asked in process context. */
#ifndef TLSNAP_IDENTITY_H
#define TLSNAP_IDENTITY_H

#include "programs.h"

struct tlsnap_process_key {
	__u64 start_boot_ns;
	__u32 pid;
	__u32 exec; /* how often it has called exec, for the flight recorder: each program is kept by itself */
};

/*
 * Processes already reported. An LRU is right here: what it evicts is reported once more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tlsnap_process_key);
	__type(value, __u8);
} reported SEC(".maps");

/* The flight recorder's processes, and how they ended. The sizes are set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tlsnap_process_key);
	__type(value, struct tlsnap_recorded_process);
} recorded_processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct tlsnap_process_key);
	__type(value, struct tlsnap_exit);
} recorded_exits SEC(".maps");

static const struct tlsnap_recorded_process no_process;

/* Follows pointers from a task by whichever means this kernel allows. */
#define TASK_READ(task, accessors...) \
	(tlsnap_task_btf ? ___arrow(task, accessors) : BPF_CORE_READ((struct task_struct *)task, accessors))

static __always_inline struct task_struct *current_task(void)
{
	/* bpf_get_current_task_btf: kernel commit 3ca1032ab7ab (5.11); for cgroup programs since 5.18. */
	if (tlsnap_task_btf)
		return bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
}

static __always_inline void read_comm(char *comm, struct task_struct *task)
{
	if (tlsnap_task_btf) {
		/* A BTF pointer may be read only member by member, so no copy of the array. */
#pragma unroll
		for (int i = 0; i < TLSNAP_COMM_LENGTH; i++)
			comm[i] = task->comm[i];
	} else {
		bpf_core_read(comm, TLSNAP_COMM_LENGTH, &task->comm);
	}
}

static __always_inline void read_task(struct tlsnap_task *out, struct task_struct *task)
{
	struct task_struct *leader = TASK_READ(task, group_leader);

	out->start_boot_ns = TASK_READ(leader, start_boottime);
	out->cgroup_id = TASK_READ(task, cgroups, dfl_cgrp, kn, id);
	out->pid = TASK_READ(task, tgid);
	out->tid = TASK_READ(task, pid);
	out->ppid = TASK_READ(leader, real_parent, tgid);
	out->uid = TASK_READ(task, cred, uid.val);
	out->gid = TASK_READ(task, cred, gid.val);
	out->netns = TASK_READ(task, nsproxy, net_ns, ns.inum);
	out->pidns = TASK_READ(task, nsproxy, pid_ns_for_children, ns.inum);
	out->flags = TASK_READ(task, flags) & TLSNAP_PF_KTHREAD ? TLSNAP_TASK_KTHREAD : 0;
	read_comm(out->comm, leader);
	read_comm(out->thread_comm, task);
}

/*
 * As TASK_READ(), but by the probe helpers wherever they are allowed. For each pointer that is followed from a trusted one,
 * verifiers from 6.3 on (57539b1c0ac2) search all of the kernel's types by name, up to four times.
 */
#define ANCESTOR_READ(task, accessors...) \
	(tlsnap_probe_read ? BPF_CORE_READ((struct task_struct *)task, accessors) : ___arrow(task, accessors))

static __always_inline void read_ancestors(struct tlsnap_process *out, struct task_struct *task)
{
	struct task_struct *leader = ANCESTOR_READ(task, group_leader);
	__u32 count = 0;

#pragma unroll
	for (int i = 0; i < TLSNAP_ANCESTORS; i++) {
		struct tlsnap_ancestor *ancestor = &out->ancestors[i];
		struct task_struct *parent = ANCESTOR_READ(leader, real_parent);

		leader = ANCESTOR_READ(parent, group_leader);
		ancestor->start_boot_ns = ANCESTOR_READ(leader, start_boottime);
		ancestor->pid = ANCESTOR_READ(leader, tgid);
		ancestor->uid = ANCESTOR_READ(leader, cred, uid.val);
		if (tlsnap_probe_read)
			bpf_core_read(ancestor->comm, TLSNAP_COMM_LENGTH, &leader->comm);
		else
			read_comm(ancestor->comm, leader);
		if (ancestor->pid)
			count = i + 1;
	}
	out->ancestor_count = count;
}

static __always_inline void read_cmdline(struct tlsnap_process *out, struct task_struct *task)
{
	unsigned long start = TASK_READ(task, mm, arg_start);
	unsigned long end = TASK_READ(task, mm, arg_end);
	__u32 length;

	out->cmdline_total = start && end > start ? end - start : 0;
	length = out->cmdline_total;
	if (length == 0)
		return;
	if (length > TLSNAP_CMDLINE_LENGTH)
		length = TLSNAP_CMDLINE_LENGTH;
	/* In this form 5.10 and 6.1 see both bounds, whatever clang makes of the two tests above. */
	length = ((length - 1) & (TLSNAP_CMDLINE_LENGTH - 1)) + 1;
	if (bpf_probe_read_user(out->cmdline, length, (void *)start) == 0)
		out->cmdline_length = length;
}

#define TLSNAP_NAME_ROOM 256 /* NAME_MAX and its NUL */
#define TLSNAP_PATH_DEPTH 24

/*
 * Writes the executable's path as components, last one first. Crosses mount points, so that the path is the one from
 * the root of the process's mount namespace. Cheaper than bpf_d_path, which cgroup programs may not call.
 */
static __always_inline void read_exe(struct tlsnap_process *out, struct task_struct *task)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	struct vfsmount *vfsmount = BPF_CORE_READ(file, f_path.mnt);
	struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
	__u32 used = 0;

	if (!file)
		return;
	out->exe_inode = BPF_CORE_READ(file, f_inode, i_ino);
	out->exe_device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	out->exe_deleted = BPF_CORE_READ(dentry, d_hash.pprev) == NULL;
	out->exe_cut = 1;

	for (int i = 0; i < TLSNAP_PATH_DEPTH; i++) {
		struct dentry *root = BPF_CORE_READ(mount, mnt.mnt_root);
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		long length;

		if (dentry == root) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);

			if (above == mount || !above) {
				out->exe_cut = 0;
				break;
			}
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = above;
			continue;
		}
		if (used >= TLSNAP_EXE_LENGTH - TLSNAP_NAME_ROOM)
			break;
		/* The mask repeats the test above in a form that 6.1 does not lose. */
		asm volatile("" : "+r"(used));
		length = bpf_probe_read_kernel_str(out->exe + (used & (TLSNAP_EXE_LENGTH - TLSNAP_NAME_ROOM - 1)),
						   TLSNAP_NAME_ROOM, BPF_CORE_READ(dentry, d_name.name));
		if (length <= 0)
			break;
		/* Its NUL is counted, so that a name of 255 bytes has 256. */
		used += (((__u32)length - 1) & (TLSNAP_NAME_ROOM - 1)) + 1;
		/* A file of memfd_create() is in no directory: its name is all there is of a path. */
		if (dentry == parent) {
			out->exe_cut = 0;
			break;
		}
		dentry = parent;
	}
	out->exe_length = used;
}

static __always_inline void read_nspid(struct tlsnap_process *out, struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid upid = {};

	/* The kernel's MAX_PID_NS_LEVEL. */
	if (level > 32)
		return;
	bpf_core_read(&upid, sizeof(upid), (void *)&pid->numbers[0] + level * bpf_core_type_size(struct upid));
	out->nspid = upid.nr;
	out->task.pidns = BPF_CORE_READ(upid.ns, ns.inum);
}

static __always_inline void fill_process(struct tlsnap_process *out, struct task_struct *task, bool exec)
{
	begin_record(&out->record, TLSNAP_RECORD_PROCESS, sizeof(*out));
	read_task(&out->task, task);
	out->exe_inode = 0;
	out->exe_device = 0;
	out->exe_deleted = 0;
	out->exe_cut = 0;
	out->nspid = 0;
	out->exec = exec;
	out->cmdline_length = 0;
	out->cmdline_total = 0;
	out->exe_length = 0;
	read_ancestors(out, task);
	if (tlsnap_probe_read) {
		read_cmdline(out, task);
		read_exe(out, task);
		read_nspid(out, task);
	}
}

static __always_inline int report_process(struct task_struct *task, struct tlsnap_process_key *key, bool exec)
{
	struct tlsnap_process *out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
	__u8 present = 1;

	if (!out) {
		count(TLSNAP_COUNT_LOST_PROCESSES);
		return 0;
	}
	fill_process(out, task, exec);
	bpf_ringbuf_submit(out, wakeup());
	bpf_map_update_elem(&reported, key, &present, BPF_ANY);
	return 0;
}

/* As report_process(). A process that goes on connecting stays among the recently used. */
static __always_inline void record_process(struct task_struct *task, struct tlsnap_process_key *key)
{
	struct tlsnap_recorded_process *out;
	__u8 present = 1;

	key->exec = TASK_READ(task, self_exec_id);
	if (bpf_map_lookup_elem(&recorded_processes, key))
		return;
	bpf_map_update_elem(&recorded_processes, key, &no_process, BPF_ANY);
	out = bpf_map_lookup_elem(&recorded_processes, key);
	if (!out) {
		count(TLSNAP_COUNT_LOST_PROCESSES);
		return;
	}
	fill_process(&out->process, task, false);
	asm volatile("" ::: "memory");
	out->whole = 1;
	count(TLSNAP_COUNT_RECORDED);
	key->exec = 0;
	bpf_map_update_elem(&reported, key, &present, BPF_ANY);
}

/*
 * Reports the current process, once. Global, so that the verifier proves it once and not for each state in which it is called.
 */
__noinline int report_current(void)
{
	struct task_struct *task = current_task();
	struct tlsnap_process_key key = {};

	key.start_boot_ns = TASK_READ(task, group_leader, start_boottime);
	key.pid = TASK_READ(task, tgid);
	if (tlsnap_recording)
		record_process(task, &key);
	else if (!bpf_map_lookup_elem(&reported, &key))
		report_process(task, &key, false);
	return 0;
}

/* Fills `out` with the current task, and reports its process once. */
static __noinline int identify(struct tlsnap_task *out)
{
	if (!out)
		return 0;
	read_task(out, current_task());
	if (!(out->flags & TLSNAP_TASK_KTHREAD))
		report_current();
	return 0;
}

static __always_inline void fill_exit(struct tlsnap_exit *out, const struct tlsnap_process_key *key,
				      struct task_struct *task)
{
	begin_record(&out->record, TLSNAP_RECORD_EXIT, sizeof(*out));
	out->start_boot_ns = key->start_boot_ns;
	out->pid = key->pid;
	out->exit_code = task->exit_code;
}

/* After an exec the process is reported again: same pid and start, other executable. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(tlsnap_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct tlsnap_process_key key = {};

	key.start_boot_ns = task->group_leader->start_boottime;
	key.pid = task->tgid;
	if (bpf_map_lookup_elem(&reported, &key))
		report_process(current_task(), &key, true);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tlsnap_exit, struct task_struct *task)
{
	struct tlsnap_process_key key = {};
	struct tlsnap_exit ended = {};
	struct tlsnap_exit *out;

	/* The process ends with its last thread, which need not be the leader. */
	if (task->signal->live.counter)
		return 0;
	key.start_boot_ns = task->group_leader->start_boottime;
	key.pid = task->tgid;
	if (tlsnap_subtree)
		bpf_map_delete_elem(&scoped_processes, &key.pid);
	if (!bpf_map_lookup_elem(&reported, &key))
		return 0;
	bpf_map_delete_elem(&reported, &key);
	if (tlsnap_recording) {
		fill_exit(&ended, &key, task);
		bpf_map_update_elem(&recorded_exits, &key, &ended, BPF_ANY);
		return 0;
	}
	out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
	if (!out) {
		count(TLSNAP_COUNT_LOST_EXITS);
		return 0;
	}
	fill_exit(out, &key, task);
	bpf_ringbuf_submit(out, wakeup());
	return 0;
}

#endif
