// SPDX-License-Identifier: Apache-2.0
#include "maps.h"

#include <bpf/libbpf.h>

#include "../bpf/tlsnap.h"

namespace tlsnap {
namespace {

constexpr uint32_t kBatch = 4096;

template <typename Struct>
void Append(std::vector<uint8_t>& out, const Struct& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof(value));
}

}  // namespace

std::vector<uint64_t> ReadCounters(int map) {
  const int cpus = static_cast<int>(check(libbpf_num_possible_cpus(), "count CPUs"));
  std::vector<uint64_t> values(cpus);
  std::vector<uint64_t> sums(MaxEntries(map));
  for (uint32_t key = 0; key < sums.size(); key++) {
    check(bpf_map_lookup_elem(map, &key, values.data()), "read counters");
    for (const uint64_t value : values) sums[key] += value;
  }
  return sums;
}

std::vector<uint8_t> ReadFingerprints(int map) {
  std::vector<uint8_t> out;
  ForEachEntry<tlsnap_fingerprint_key, tlsnap_fingerprint>(map, kBatch, [&](const auto& key, const auto& value) {
    Append(out, key);
    Append(out, value);
  });
  return out;
}

uint32_t MaxEntries(int map) {
  bpf_map_info info = {};
  uint32_t length = sizeof(info);
  check(bpf_obj_get_info_by_fd(map, &info, &length), "read map info");
  return info.max_entries;
}

}  // namespace tlsnap
