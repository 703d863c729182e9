// One loaded object, its links and its ring. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "handles.h"
#include "loaded-object.h"

namespace tlsnap {

struct ProgramInfo {
  std::string name;
  uint32_t id;
  std::string tag;  // hexadecimal, as bpftool prints it
};

struct MapInfo {
  std::string name;
  uint32_t id;
};

class Session {
 public:
  // Loads the parts of `options`. `programs` are all the programs in them, in the order in which they are attached.
  Session(const LoadOptions& options, std::vector<std::string> programs);

  // Attaches the loaded programs in their order.
  // An empty path stands for the root of the cgroup2 hierarchy, reached through a mount that nobody else sees.
  void Attach(const std::string& cgroup_path);

  // The set of processes in scope. Taking out one that is not in it is no error.
  void AddPid(uint32_t pid);
  void RemovePid(uint32_t pid);

  // Copies whole records, each padded to 8 bytes, until the ring is empty or `capacity` could not hold one more.
  // Waits up to `timeout_ms` if there is nothing: for the ring to fill up, or, `until_woken`, for the first record.
  // Returns the bytes written.
  size_t Drain(uint8_t* out, size_t capacity, int timeout_ms, bool until_woken);

  // Sums of the per-CPU counters, in the order of enum tlsnap_counter.
  std::vector<uint64_t> Counters() const;

  // See ReadFingerprints.
  std::vector<uint8_t> Fingerprints() const;

  std::vector<ProgramInfo> Programs() const;

  // Names of the attached programs that are on their hooks no longer.
  std::vector<std::string> DetachedPrograms() const;

  std::vector<MapInfo> Maps() const;

  // Pins these maps, and every attached program and its link, as map_NAME, program_NAME and link_NAME in a folder of a BPF
  // file system: they stay there and at work when this process is gone.
  void Pin(const std::string& directory, const std::vector<std::string>& maps) const;

  // Detaches and unloads. What is in the ring is lost: drain first. May be called again.
  void Close();

  // Detaches the programs and keeps the ring and the counters, so that the rest can be drained.
  void Detach();

 private:
  static int TakeRecord(void* session, void* data, size_t size);
  const LoadedObject& object() const;

  std::unique_ptr<LoadedObject> object_;
  std::vector<std::string> programs_;
  Ring ring_;
  std::vector<Link> links_;
  uint8_t* out_ = nullptr;
  size_t used_ = 0;
  size_t capacity_ = 0;
};

}  // namespace tlsnap
