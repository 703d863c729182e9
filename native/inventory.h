// What this host's kernel runs and shows: BPF programs and links, clocks, structure layouts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tlsnap {

struct LoadedProgram {
  uint32_t id;
  uint32_t type;  // enum bpf_prog_type
  std::string name;
  std::string tag;
  uint32_t uid;          // who loaded it
  uint64_t load_boot_ns;  // when
};

struct LoadedLink {
  uint32_t id;
  uint32_t type;  // enum bpf_link_type
  uint32_t program_id;
  uint64_t cgroup_id;    // 0 where the link is not on a cgroup
  uint32_t attach_type;  // enum bpf_attach_type; 0 where the link does not say
};

std::vector<LoadedProgram> LoadedPrograms();
std::vector<LoadedLink> LoadedLinks();

// Ids of the programs that run at one of a cgroup's hooks, in the order in which they run.
std::vector<uint32_t> AttachedPrograms(const std::string& cgroup_path, const std::string& hook);

// All in nanoseconds, read one right after the other.
struct Clocks {
  int64_t realtime;
  int64_t monotonic;
  int64_t boottime;
  int64_t tai;
  // From adjtimex(2): whether and how well the clock is synchronised.
  int state;
  int status;
  int64_t offset_ns;
  int64_t max_error_us;
  int64_t estimated_error_us;
  int tai_offset_s;
};

Clocks ReadClocks();

struct Member {
  std::string name;  // nested members as `flow.cookie`
  uint32_t offset;   // bytes from the start of the outermost structure
  uint32_t size;     // bytes
};

struct Layout {
  uint32_t size;
  std::vector<Member> members;
};

// The layout of a structure in an object's BTF.
Layout StructLayout(const std::string& object_path, const std::string& name);

// Whether the kernel lets programs that see packets call bpf_get_current_task_btf(): Linux 5.18. True where it may not be
// asked: loading the programs fails then too, and says why.
bool HasTaskBtf();

// Whether the running kernel has a function of this name among those that its BTF describes.
bool KernelHasFunction(const std::string& name);

// Names and values of an enumeration in an object's BTF.
std::vector<std::pair<std::string, int64_t>> EnumValues(const std::string& object_path, const std::string& name);

}  // namespace tlsnap
