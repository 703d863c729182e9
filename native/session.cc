// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "../bpf/tlsnap.h"
#include "error.h"
#include "links.h"
#include "log.h"
#include "maps.h"

namespace tlsnap {
namespace {

constexpr size_t kLargestRecord = std::max(sizeof(tlsnap_process), sizeof(tlsnap_chunk) + TLSNAP_CHUNK_LARGE) + 8;

// A cgroup2 mount of our own that no mount namespace shows: it is gone when its descriptor is closed.
Fd MountCgroup2() {
  Fd context(static_cast<int>(check(syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC), "fsopen cgroup2")));
  check(syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "fsconfig cgroup2");
  return Fd(static_cast<int>(check(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0), "fsmount cgroup2")));
}

}  // namespace

Session::Session(const LoadOptions& options, std::vector<std::string> programs)
    : object_(std::make_unique<LoadedObject>(options)), programs_(std::move(programs)) {
  ring_.reset(check(ring_buffer__new(object().MapFd("ring"), TakeRecord, this, nullptr), "map the ring"));
}

const LoadedObject& Session::object() const {
  if (!object_) throw CallError(EBADF, "use a closed session");
  return *object_;
}

void Session::Attach(const std::string& cgroup_path) {
  TakeLog();
  Fd cgroup = cgroup_path.empty()
                  ? MountCgroup2()
                  : Fd(static_cast<int>(check(open(cgroup_path.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC), "open the cgroup")));
  for (const auto& name : programs_) {
    bpf_program* program = object().Program(name);
    const bool on_cgroup = bpf_program__type(program) != BPF_PROG_TYPE_TRACING;
    const std::string call = "attach " + name;
    links_.emplace_back(check(on_cgroup ? bpf_program__attach_cgroup(program, cgroup.get()) : bpf_program__attach(program),
                              call.c_str()));
  }
}

void Session::AddPid(uint32_t pid) {
  const uint8_t present = 1;
  check(bpf_map_update_elem(object().MapFd("scoped_processes"), &pid, &present, BPF_ANY), "put a process in scope");
}

void Session::RemovePid(uint32_t pid) {
  const int result = bpf_map_delete_elem(object().MapFd("scoped_processes"), &pid);
  if (result != -ENOENT) check(result, "take a process out of scope");
}

void Session::Pin(const std::string& directory, const std::vector<std::string>& maps) const {
  TakeLog();
  const auto path = [&](const char* kind, const std::string& name) { return directory + "/" + kind + "_" + name; };
  for (const auto& name : maps) check(bpf_obj_pin(object().MapFd(name), path("map", name).c_str()), "pin a map");
  for (size_t i = 0; i < programs_.size(); i++) {
    const bpf_program* program = object().Program(programs_[i]);
    check(bpf_obj_pin(bpf_program__fd(program), path("program", programs_[i]).c_str()), "pin a program");
    check(bpf_obj_pin(bpf_link__fd(links_.at(i).get()), path("link", programs_[i]).c_str()), "pin a link");
  }
}

int Session::TakeRecord(void* context, void* data, size_t size) {
  auto* self = static_cast<Session*>(context);
  const auto* record = static_cast<const tlsnap_record*>(data);
  // A record is reserved in one of a few sizes and says how much of it is used.
  const size_t length = size < sizeof(*record) ? 0 : std::min<size_t>(record->size, size);
  const size_t padded = (length + 7) & ~size_t{7};
  memcpy(self->out_ + self->used_, data, length);
  memset(self->out_ + self->used_ + length, 0, padded - length);
  self->used_ += padded;
  // A negative result stops libbpf behind this record.
  return self->capacity_ - self->used_ < kLargestRecord ? -ENOBUFS : 0;
}

size_t Session::Drain(uint8_t* out, size_t capacity, int timeout_ms, bool until_woken) {
  object();
  if (capacity < kLargestRecord) throw CallError(ENOBUFS, "drain into a buffer smaller than one record");
  out_ = out;
  used_ = 0;
  capacity_ = capacity;
  const auto consume = [this] {
    const int result = ring_buffer__consume(ring_.get());
    if (result < 0 && result != -ENOBUFS) check(result, "consume the ring");
  };
  consume();
  if (used_ == 0 && until_woken) {
    const uint32_t key = 0;
    const uint32_t sleeps = 1;
    check(bpf_map_update_elem(object().MapFd("reader"), &key, &sleeps, BPF_ANY), "ask to be woken");
    // What came before that was written wakes nobody.
    consume();
  }
  if (used_ == 0 && timeout_ms > 0) {
    epoll_event event;
    epoll_wait(ring_buffer__epoll_fd(ring_.get()), &event, 1, timeout_ms);
    consume();
  }
  return used_;
}

std::vector<uint64_t> Session::Counters() const { return ReadCounters(object().MapFd("counters")); }

std::vector<uint8_t> Session::Fingerprints() const { return ReadFingerprints(object().MapFd("fingerprints")); }

std::vector<ProgramInfo> Session::Programs() const {
  std::vector<ProgramInfo> programs;
  for (const auto& name : programs_) {
    const bpf_program* program = object().Program(name);
    bpf_prog_info info = {};
    uint32_t length = sizeof(info);
    check(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length), "read program info");
    char tag[2 * BPF_TAG_SIZE + 1];
    for (int i = 0; i < BPF_TAG_SIZE; i++) snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
    programs.push_back({name, info.id, tag});
  }
  return programs;
}

std::vector<MapInfo> Session::Maps() const {
  std::vector<MapInfo> maps;
  for (const bpf_map* map : object().Maps()) {
    bpf_map_info info = {};
    uint32_t length = sizeof(info);
    check(bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &length), "read map info");
    maps.push_back({bpf_map__name(map), info.id});
  }
  return maps;
}

std::vector<std::string> Session::DetachedPrograms() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < links_.size(); i++)
    if (!IsAttached(bpf_link__fd(links_[i].get()))) names.push_back(programs_[i]);
  return names;
}

void Session::Detach() { links_.clear(); }

void Session::Close() {
  links_.clear();
  ring_.reset();
  object_.reset();
}

}  // namespace tlsnap
