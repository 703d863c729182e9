/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flight recorder: where records go when no process is there to read them. The newest are kept in slots of one size, and
 * each new one takes the place of the oldest. A ring buffer would keep the oldest instead, and refuse the new.
 */
#ifndef TLSNAP_RECORDER_H
#define TLSNAP_RECORDER_H

#include "programs.h"

/*
 * One for all CPUs, so that the order is the order of things. Atomics that return a value came with 5.12, hence the lock;
 * programs of tracepoints may not take it, and put what they have into maps of their own (identity.h).
 */
struct tlsnap_recorder {
	struct bpf_spin_lock lock;
	__u32 reserved;
	__u64 next; /* the number of the slot that is taken next, from 0 on */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlsnap_recorder);
} recorder SEC(".maps");

/* The size is set by user space (--memory), which reads it through a mapping. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tlsnap_slot);
} slots SEC(".maps");

/* Where a record is written: in the ring, or in a slot. */
struct tlsnap_place {
	struct tlsnap_slot *slot;
	__u64 sequence;
};

/* Counts the hello that goes, with its first chunk: what is left of it cannot be read any more. */
static __always_inline void count_overwritten(const struct tlsnap_slot *slot)
{
	const struct tlsnap_chunk *chunk = (const struct tlsnap_chunk *)slot->record;

	if (slot->sequence && chunk->record.type == TLSNAP_RECORD_CHUNK && chunk->length > 0 &&
	    chunk->hello_offset == chunk->stream_offset)
		count(TLSNAP_COUNT_OVERWRITTEN);
}

static __always_inline void *take_slot(struct tlsnap_place *place)
{
	struct tlsnap_recorder *state;
	struct tlsnap_slot *slot;
	__u32 key = 0;
	__u64 number;

	state = bpf_map_lookup_elem(&recorder, &key);
	if (!state)
		return NULL;
	bpf_spin_lock(&state->lock);
	number = state->next;
	state->next = number + 1;
	bpf_spin_unlock(&state->lock);
	key = number % tlsnap_slot_count;
	slot = bpf_map_lookup_elem(&slots, &key);
	if (!slot)
		return NULL;
	count_overwritten(slot);
	/* Odd: being written. */
	place->sequence = 2 * number + 1;
	place->slot = slot;
	*(volatile __u64 *)&slot->sequence = place->sequence;
	return slot->record;
}

/*
 * A writer may be held up for so long that the others have come round and taken its slot again. Then two records lie over each
 * other: neither is kept, and both are missing in the sums that user space makes.
 */
static __always_inline void keep_slot(struct tlsnap_place *place)
{
	volatile __u64 *sequence = &place->slot->sequence;

	asm volatile("" ::: "memory");
	*sequence = *sequence == place->sequence ? place->sequence + 1 : 0;
}

/* Room for a record of `size` bytes, in a slot at most TLSNAP_SLOT_RECORD; NULL where there is none. */
static __always_inline void *open_record(struct tlsnap_place *place, const __u32 size)
{
	return tlsnap_recording ? take_slot(place) : bpf_ringbuf_reserve(&ring, size, 0);
}

static __always_inline void close_record(struct tlsnap_place *place, void *record)
{
	if (tlsnap_recording)
		keep_slot(place);
	else
		bpf_ringbuf_submit(record, wakeup());
}

static __always_inline void discard_record(struct tlsnap_place *place, void *record)
{
	if (tlsnap_recording)
		*(volatile __u64 *)&place->slot->sequence = 0;
	else
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
}

#endif
