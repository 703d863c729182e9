// SPDX-License-Identifier: Apache-2.0
#include "links.h"

#include <bpf/bpf.h>

#include "error.h"

namespace tlsnap {

bool IsAttached(int link) {
  bpf_link_info info = {};
  uint32_t length = sizeof(info);
  check(bpf_obj_get_info_by_fd(link, &info, &length), "read link info");
  // Links of tracepoints cannot be taken off: they are attached while there is one.
  return info.type != BPF_LINK_TYPE_CGROUP || info.cgroup.cgroup_id != 0;
}

}  // namespace tlsnap
