// A flight recorder that another process pinned. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "handles.h"

namespace tlsnap {

struct MapShape;

// Stores `facts` in a map of its own, pinned as map_facts, which nobody can write to any more.
void PinFacts(const std::string& directory, const std::string& facts);

// What the slots hold.
struct RecordedSlots {
  std::vector<uint8_t> records;  // whole records in the order in which they were made, each padded to 8 bytes
  uint64_t used = 0;             // slots that hold one of these
  uint64_t taken = 0;            // slots taken since the recorder runs; the oldest of them are overwritten
  uint64_t oldest_boot_ns = 0;   // of the oldest record; 0 where there is none
};

// Opens and maps the pins for reading: nothing here changes what is recorded.
class Recorder {
 public:
  explicit Recorder(const std::string& directory);

  std::string Facts() const;
  std::vector<uint64_t> Counters() const;
  std::vector<uint8_t> Fingerprints() const;

  // Copies the slots while they are written to. One that is overwritten meanwhile is left out.
  RecordedSlots Slots() const;

  // Process records by time, then exit records.
  std::vector<uint8_t> Processes() const;

  // Whether the link of this program is still pinned, and on its hook: it leaves a cgroup that is removed, or by force.
  bool IsAttached(const std::string& program) const;

  // Entries in the maps of fingerprints and of processes.
  uint64_t FingerprintCount() const;
  uint64_t ProcessCount() const;

 private:
  // Throws EPROTO where the pin is a map of another shape: what is read of it would have no room.
  Fd Open(const MapShape& map, uint32_t flags = BPF_F_RDONLY) const;
  Fd OpenPin(const char* map, uint32_t flags) const;

  std::string directory_;
};

}  // namespace tlsnap
