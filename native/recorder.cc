// SPDX-License-Identifier: Apache-2.0
#include "recorder.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "../bpf/tlsnap.h"
#include "error.h"
#include "links.h"
#include "maps.h"

namespace tlsnap {
namespace {

constexpr size_t kFactsBytes = 16 * 1024;
// Of 2.2 kB each.
constexpr uint32_t kProcessBatch = 1024;
constexpr uint32_t kBatch = 4096;

struct ProcessKey {
  uint64_t start_boot_ns;
  uint32_t pid;
  uint32_t exec;
};

// The value of the map `recorder`; the lock reads as zero.
struct RecorderState {
  uint32_t lock;
  uint32_t reserved;
  uint64_t next;
};

}  // namespace

struct MapShape {
  const char* name;
  uint32_t type;
  uint32_t key_size;
  uint32_t value_size;
};

namespace {

constexpr MapShape kCounters = {"counters", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t), sizeof(uint64_t)};
constexpr MapShape kFingerprints = {"fingerprints", BPF_MAP_TYPE_HASH, sizeof(tlsnap_fingerprint_key),
                                    sizeof(tlsnap_fingerprint)};
constexpr MapShape kSlots = {"slots", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(tlsnap_slot)};
constexpr MapShape kState = {"recorder", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(RecorderState)};
constexpr MapShape kProcesses = {"recorded_processes", BPF_MAP_TYPE_LRU_HASH, sizeof(ProcessKey),
                                 sizeof(tlsnap_recorded_process)};
constexpr MapShape kExits = {"recorded_exits", BPF_MAP_TYPE_LRU_HASH, sizeof(ProcessKey), sizeof(tlsnap_exit)};

// A read-only mapping of a whole array map.
class Mapping {
 public:
  Mapping(int map, size_t bytes)
      : bytes_(bytes), address_(mmap(nullptr, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, map, 0)) {
    if (address_ == MAP_FAILED) throw CallError(errno, "map the slots");
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { munmap(address_, bytes_); }

  const tlsnap_slot* slots() const { return static_cast<const tlsnap_slot*>(address_); }

 private:
  size_t bytes_;
  void* address_;
};

void AppendRecord(std::vector<uint8_t>& out, const uint8_t* record, size_t room) {
  tlsnap_record header;
  memcpy(&header, record, sizeof(header));
  const size_t length = std::clamp<size_t>(header.size, sizeof(header), room);
  out.insert(out.end(), record, record + length);
  out.resize((out.size() + 7) & ~size_t{7});
}

// Copies a slot, unless it is empty, being written, or overwritten while it is copied. Returns the record's number or -1.
int64_t CopySlot(const tlsnap_slot& slot, tlsnap_slot& copy) {
  const auto* sequence = reinterpret_cast<const std::atomic<uint64_t>*>(&slot.sequence);
  const uint64_t before = sequence->load(std::memory_order_acquire);
  if (before == 0 || before % 2 != 0) return -1;
  memcpy(&copy, &slot, sizeof(slot));
  std::atomic_thread_fence(std::memory_order_acquire);
  if (sequence->load(std::memory_order_relaxed) != before) return -1;
  return static_cast<int64_t>(before / 2 - 1);
}

template <typename Key, typename Value>
uint64_t CountEntries(int map, uint32_t batch) {
  uint64_t count = 0;
  ForEachEntry<Key, Value>(map, batch, [&](const Key&, const Value&) { count++; });
  return count;
}

}  // namespace

void PinFacts(const std::string& directory, const std::string& facts) {
  if (facts.size() >= kFactsBytes) throw CallError(E2BIG, "store the recorder's facts");
  std::vector<char> value(kFactsBytes);
  std::copy(facts.begin(), facts.end(), value.begin());
  const Fd map(static_cast<int>(
      check(bpf_map_create(BPF_MAP_TYPE_ARRAY, "tlsnap_facts", sizeof(uint32_t), kFactsBytes, 1, nullptr), "create a map")));
  const uint32_t key = 0;
  check(bpf_map_update_elem(map.get(), &key, value.data(), BPF_ANY), "store the recorder's facts");
  check(bpf_map_freeze(map.get()), "freeze the recorder's facts");
  check(bpf_obj_pin(map.get(), (directory + "/map_facts").c_str()), "pin a map");
}

Recorder::Recorder(const std::string& directory) : directory_(directory) { OpenPin("facts", BPF_F_RDONLY); }

Fd Recorder::Open(const MapShape& map, uint32_t flags) const {
  Fd pin = OpenPin(map.name, flags);
  bpf_map_info info = {};
  uint32_t length = sizeof(info);
  check(bpf_obj_get_info_by_fd(pin.get(), &info, &length), "read map info");
  if (info.type != map.type || info.key_size != map.key_size || info.value_size != map.value_size)
    throw CallError(EPROTO, std::string("take map_") + map.name + " for the recorder's");
  return pin;
}

Fd Recorder::OpenPin(const char* map, uint32_t flags) const {
  struct bpf_obj_get_opts options = {};
  options.sz = sizeof(options);
  options.file_flags = flags;
  const std::string path = directory_ + "/map_" + map;
  return Fd(static_cast<int>(check(::bpf_obj_get_opts(path.c_str(), &options), "open a pinned map")));
}

std::string Recorder::Facts() const {
  const Fd map = OpenPin("facts", BPF_F_RDONLY);
  bpf_map_info info = {};
  uint32_t length = sizeof(info);
  check(bpf_obj_get_info_by_fd(map.get(), &info, &length), "read map info");
  // The pin may be another program's: its sizes are its own.
  if (info.key_size != sizeof(uint32_t) || info.value_size == 0 || info.value_size > kFactsBytes)
    throw CallError(EPROTO, "read the recorder's facts");
  std::vector<char> value(info.value_size + 1);
  const uint32_t key = 0;
  check(bpf_map_lookup_elem(map.get(), &key, value.data()), "read the recorder's facts");
  return std::string(value.data());
}

std::vector<uint64_t> Recorder::Counters() const { return ReadCounters(Open(kCounters).get()); }

std::vector<uint8_t> Recorder::Fingerprints() const { return ReadFingerprints(Open(kFingerprints).get()); }

RecordedSlots Recorder::Slots() const {
  // mmap(2) makes a private mapping of what is opened for reading only, and the kernel then refuses it.
  const Fd map = Open(kSlots, 0);
  const uint32_t count = MaxEntries(map.get());
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const Mapping mapping(map.get(), (size_t{count} * sizeof(tlsnap_slot) + page - 1) / page * page);

  const Fd recorder = Open(kState);
  RecorderState state = {};
  const uint32_t key = 0;
  check(bpf_map_lookup_elem(recorder.get(), &key, &state), "read the recorder's state");

  RecordedSlots out;
  out.taken = state.next;
  out.records.reserve(size_t{count} * sizeof(tlsnap_slot));
  const uint64_t first = state.next > count ? state.next - count : 0;
  tlsnap_slot copy;
  for (uint64_t number = first; number < state.next; number++) {
    // What is newer than the state that was read is the next dump's.
    if (CopySlot(mapping.slots()[number % count], copy) != static_cast<int64_t>(number)) continue;
    if (out.used++ == 0) out.oldest_boot_ns = reinterpret_cast<const tlsnap_record*>(copy.record)->boot_ns;
    AppendRecord(out.records, copy.record, sizeof(copy.record));
  }
  return out;
}

std::vector<uint8_t> Recorder::Processes() const {
  std::vector<tlsnap_process> processes;
  ForEachEntry<ProcessKey, tlsnap_recorded_process>(Open(kProcesses).get(), kProcessBatch,
                                                    [&](const auto&, const auto& value) {
                                                      if (value.whole) processes.push_back(value.process);
                                                    });
  std::sort(processes.begin(), processes.end(),
            [](const auto& a, const auto& b) { return a.record.boot_ns < b.record.boot_ns; });
  std::vector<uint8_t> out;
  for (const auto& process : processes)
    AppendRecord(out, reinterpret_cast<const uint8_t*>(&process), sizeof(process));
  ForEachEntry<ProcessKey, tlsnap_exit>(Open(kExits).get(), kBatch, [&](const auto&, const auto& value) {
    AppendRecord(out, reinterpret_cast<const uint8_t*>(&value), sizeof(value));
  });
  return out;
}

bool Recorder::IsAttached(const std::string& program) const {
  const int pin = bpf_obj_get((directory_ + "/link_" + program).c_str());
  if (pin == -ENOENT || (pin < 0 && errno == ENOENT)) return false;
  const Fd link(static_cast<int>(check(pin, "open a pinned link")));
  return tlsnap::IsAttached(link.get());
}

uint64_t Recorder::FingerprintCount() const {
  return CountEntries<tlsnap_fingerprint_key, tlsnap_fingerprint>(Open(kFingerprints).get(), kBatch);
}

uint64_t Recorder::ProcessCount() const {
  return CountEntries<ProcessKey, tlsnap_recorded_process>(Open(kProcesses).get(), kProcessBatch);
}

}  // namespace tlsnap
