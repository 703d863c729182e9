// SPDX-License-Identifier: Apache-2.0
#include "inventory.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/timex.h>
#include <time.h>

#include <cstdio>
#include <cstring>

#include "error.h"
#include "handles.h"

namespace tlsnap {
namespace {

int64_t ReadClock(clockid_t clock) {
  timespec now;
  check(clock_gettime(clock, &now), "clock_gettime");
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::string Hexadecimal(const uint8_t* bytes, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; i++) {
    char pair[3];
    snprintf(pair, sizeof(pair), "%02x", bytes[i]);
    text += pair;
  }
  return text;
}

// Calls `visit` with a descriptor and the id of every object; one that goes away meanwhile is passed over.
template <typename Next, typename Open, typename Visit>
void ForEachId(Next next, Open open, const char* call, Visit visit) {
  uint32_t id = 0;
  while (true) {
    const int result = next(id, &id);
    if (result != 0) {
      if (errno == ENOENT || result == -ENOENT) return;
      check(result, call);
    }
    const Fd fd(open(id));
    if (fd.get() >= 0) visit(fd.get(), id);
  }
}

void Flatten(const btf* types, const btf_type* type, const std::string& prefix, uint32_t base, Layout& out) {
  const btf_member* members = btf_members(type);
  for (int i = 0; i < btf_vlen(type); i++) {
    const uint32_t offset = base + btf_member_bit_offset(type, i) / 8;
    const std::string name = prefix + btf__name_by_offset(types, members[i].name_off);
    const btf_type* inner = btf__type_by_id(types, btf__resolve_type(types, static_cast<int>(members[i].type)));
    const auto size = static_cast<uint32_t>(check(btf__resolve_size(types, members[i].type), "size of a member"));
    out.members.push_back({name, offset, size});
    if (btf_is_struct(inner)) Flatten(types, inner, name + ".", offset, out);
  }
}

Btf ParseObject(const std::string& object_path) {
  return Btf(check(btf__parse_elf(object_path.c_str(), nullptr), "read the object's BTF"));
}

bpf_attach_type HookOf(const std::string& hook) {
  if (hook == "egress") return BPF_CGROUP_INET_EGRESS;
  if (hook == "ingress") return BPF_CGROUP_INET_INGRESS;
  if (hook == "sockops") return BPF_CGROUP_SOCK_OPS;
  throw CallError(EINVAL, "name a hook");
}

}  // namespace

std::vector<LoadedProgram> LoadedPrograms() {
  std::vector<LoadedProgram> programs;
  ForEachId(bpf_prog_get_next_id, bpf_prog_get_fd_by_id, "list BPF programs", [&](int fd, uint32_t) {
    bpf_prog_info info = {};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0) return;
    programs.push_back({info.id, info.type, info.name, Hexadecimal(info.tag, BPF_TAG_SIZE), info.created_by_uid,
                        info.load_time});
  });
  return programs;
}

std::vector<LoadedLink> LoadedLinks() {
  std::vector<LoadedLink> links;
  ForEachId(bpf_link_get_next_id, bpf_link_get_fd_by_id, "list BPF links", [&](int fd, uint32_t) {
    bpf_link_info info = {};
    uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &length) != 0) return;
    const bool on_cgroup = info.type == BPF_LINK_TYPE_CGROUP;
    const bool tracing = info.type == BPF_LINK_TYPE_TRACING;
    links.push_back({info.id, info.type, info.prog_id, on_cgroup ? uint64_t{info.cgroup.cgroup_id} : 0,
                     on_cgroup ? info.cgroup.attach_type : tracing ? info.tracing.attach_type : 0});
  });
  return links;
}

std::vector<uint32_t> AttachedPrograms(const std::string& cgroup_path, const std::string& hook) {
  const Fd cgroup(static_cast<int>(check(open(cgroup_path.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC), "open the cgroup")));
  uint32_t ids[64];
  uint32_t count = 64;
  uint32_t flags = 0;
  check(bpf_prog_query(cgroup.get(), HookOf(hook), 0, &flags, ids, &count), "query the cgroup's programs");
  return {ids, ids + count};
}

Clocks ReadClocks() {
  Clocks clocks = {};
  clocks.realtime = ReadClock(CLOCK_REALTIME);
  clocks.monotonic = ReadClock(CLOCK_MONOTONIC);
  clocks.boottime = ReadClock(CLOCK_BOOTTIME);
  clocks.tai = ReadClock(CLOCK_TAI);
  timex state = {};
  clocks.state = static_cast<int>(check(adjtimex(&state), "adjtimex"));
  clocks.status = state.status;
  clocks.offset_ns = state.status & STA_NANO ? state.offset : state.offset * 1000;
  clocks.max_error_us = state.maxerror;
  clocks.estimated_error_us = state.esterror;
  clocks.tai_offset_s = state.tai;
  return clocks;
}

Layout StructLayout(const std::string& object_path, const std::string& name) {
  const Btf types = ParseObject(object_path);
  const int id = static_cast<int>(check(btf__find_by_name_kind(types.get(), name.c_str(), BTF_KIND_STRUCT), "find the structure"));
  const btf_type* type = btf__type_by_id(types.get(), id);
  Layout layout = {type->size, {}};
  Flatten(types.get(), type, "", 0, layout);
  return layout;
}

bool HasTaskBtf() {
  return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SKB, BPF_FUNC_get_current_task_btf, nullptr) != 0;
}

bool KernelHasFunction(const std::string& name) {
  const Btf types(btf__load_vmlinux_btf());
  // Without BTF loading the programs fails too, and says why.
  return types && btf__find_by_name_kind(types.get(), name.c_str(), BTF_KIND_FUNC) > 0;
}

std::vector<std::pair<std::string, int64_t>> EnumValues(const std::string& object_path, const std::string& name) {
  const Btf types = ParseObject(object_path);
  const int id = static_cast<int>(check(btf__find_by_name_kind(types.get(), name.c_str(), BTF_KIND_ENUM), "find the enumeration"));
  const btf_type* type = btf__type_by_id(types.get(), id);
  const struct btf_enum* values = btf_enum(type);
  std::vector<std::pair<std::string, int64_t>> out;
  for (int i = 0; i < btf_vlen(type); i++)
    out.emplace_back(btf__name_by_offset(types.get(), values[i].name_off), values[i].val);
  return out;
}

}  // namespace tlsnap
