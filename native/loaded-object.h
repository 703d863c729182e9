// The programs and maps of one BPF object in the kernel. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "handles.h"

namespace tlsnap {

struct LoadOptions {
  std::string object_path;
  std::string btf_path;  // empty: the running kernel's own
  uint32_t ring_bytes = 0;
  // By the name of the `const volatile` variable; of an array its first elements.
  std::map<std::string, std::vector<uint64_t>> tunables;
  std::map<std::string, uint32_t> map_entries;  // by map name
  // The programs to load, each part by a thread of its own: the verifier works in the time of whoever asks it, and takes
  // half a second for all of them. No program is in two parts.
  std::vector<std::vector<std::string>> parts;
};

// Unloads when it is destroyed.
class LoadedObject {
 public:
  // Throws what went wrong in the first of the parts that failed, when none is being loaded any more.
  explicit LoadedObject(const LoadOptions& options);

  bpf_program* Program(const std::string& name) const;
  int MapFd(const std::string& name) const;
  std::vector<bpf_map*> Maps() const;

 private:
  // The owner of the maps, and of the programs too where there is only one part.
  Object maps_;
  std::vector<Object> parts_;
  std::map<std::string, bpf_program*> programs_;
};

}  // namespace tlsnap
