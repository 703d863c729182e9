// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The same programs for kernels from 6.2 on, which let those on packets look into the socket before they call anything. An
 * object of its own, because libbpf looks for bpf_cast_to_kern_ctx() whenever an object names it, whichever programs
 * are loaded: in the types of every kernel module, and in none but the kernel's own (capture --btf).
 */
#define TLSNAP_DIRECT
#include "tlsnap.bpf.c"
