// Reading the programs' maps, whoever holds them. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "error.h"

namespace tlsnap {

// Sums of the per-CPU counters, in the order of enum tlsnap_counter.
std::vector<uint64_t> ReadCounters(int map);

// Every entry of the map of fingerprints: struct tlsnap_fingerprint_key, then struct tlsnap_fingerprint, back to back.
std::vector<uint8_t> ReadFingerprints(int map);

// How many entries a map can hold.
uint32_t MaxEntries(int map);

// Calls `visit` with the key and the value of each entry of a hash map. Read in batches, of which each must have room for
// a bucket; an entry that comes meanwhile may be missing, one that stays is there once.
template <typename Key, typename Value, typename Visit>
void ForEachEntry(int map, uint32_t batch, Visit visit) {
  std::vector<Key> keys(batch);
  std::vector<Value> values(batch);
  // The position is opaque; for hash maps it is one 32-bit bucket number.
  uint32_t position = 0;
  uint32_t next = 0;
  bool first = true;
  while (true) {
    uint32_t count = batch;
    const int result =
        bpf_map_lookup_batch(map, first ? nullptr : &position, &next, keys.data(), values.data(), &count, nullptr);
    // ENOENT comes with the last batch.
    if (result != 0 && errno != ENOENT) check(result, "read a map in batches");
    for (uint32_t i = 0; i < count; i++) visit(keys[i], values[i]);
    if (result != 0) return;
    position = next;
    first = false;
  }
}

}  // namespace tlsnap
