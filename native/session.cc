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
#include "maps.h"

namespace tlsnap {
namespace {

constexpr size_t kLogBytes = 64 * 1024;
constexpr size_t kLargestRecord = std::max(sizeof(tlsnap_process), sizeof(tlsnap_chunk) + TLSNAP_CHUNK_LARGE) + 8;

thread_local std::string captured_log;

int AppendLog(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];
  const int length = vsnprintf(line, sizeof(line), format, arguments);
  if (length > 0) captured_log.append(line, std::min<size_t>(length, sizeof(line) - 1));
  // The verifier's verdict is at the end: keep the tail.
  if (captured_log.size() > kLogBytes) captured_log.erase(0, captured_log.size() - kLogBytes);
  return length;
}

// A cgroup2 mount of our own that no mount namespace shows: it is gone when its descriptor is closed.
Fd MountCgroup2() {
  Fd context(static_cast<int>(check(syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC), "fsopen cgroup2")));
  check(syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "fsconfig cgroup2");
  return Fd(static_cast<int>(check(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0), "fsmount cgroup2")));
}

// Bytes of an array's element, or of the variable where it is none.
size_t ElementSize(const btf* types, uint32_t id, size_t size) {
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(btf__resolve_type(types, id)));
  return btf_is_array(type) && btf_array(type)->nelems > 0 ? size / btf_array(type)->nelems : size;
}

}  // namespace

std::string TakeLog() { return std::exchange(captured_log, {}); }

void CaptureLog() { libbpf_set_print(AppendLog); }

Session::Session(const SessionOptions& options) : programs_(options.programs) {
  captured_log.clear();
  bpf_object_open_opts open_options = {};
  open_options.sz = sizeof(open_options);
  if (!options.btf_path.empty()) open_options.btf_custom_path = options.btf_path.c_str();
  object_.reset(check(bpf_object__open_file(options.object_path.c_str(), &open_options), "open the BPF object"));

  bpf_map* rodata = check(bpf_object__find_map_by_name(object(), ".rodata"), "find .rodata");
  size_t rodata_size = 0;
  const auto* initial = static_cast<const uint8_t*>(check(bpf_map__initial_value(rodata, &rodata_size), "read .rodata"));
  std::vector<uint8_t> values(initial, initial + rodata_size);
  const btf* types = check(bpf_object__btf(object()), "read the object's BTF");
  const int section_id = static_cast<int>(check(btf__find_by_name_kind(types, ".rodata", BTF_KIND_DATASEC), "find .rodata"));
  const btf_type* section = btf__type_by_id(types, section_id);
  for (const auto& [name, elements] : options.tunables) {
    bool found = false;
    for (int i = 0; i < btf_vlen(section); i++) {
      const btf_var_secinfo& variable = btf_var_secinfos(section)[i];
      const btf_type* type = btf__type_by_id(types, variable.type);
      if (name != btf__name_by_offset(types, type->name_off)) continue;
      const size_t size = ElementSize(types, type->type, variable.size);
      if (size > sizeof(uint64_t) || elements.size() * size > variable.size || variable.offset + variable.size > rodata_size)
        break;
      // The machines of today are little-endian: an integer's first bytes are its low ones.
      for (size_t at = 0; at < elements.size(); at++) memcpy(values.data() + variable.offset + at * size, &elements[at], size);
      found = true;
    }
    if (!found) throw CallError(ENOENT, "set " + name);
  }
  check(bpf_map__set_initial_value(rodata, values.data(), values.size()), "set .rodata");
  for (const auto& [name, entries] : options.map_entries) {
    bpf_map* map = check(bpf_object__find_map_by_name(object(), name.c_str()), "find map");
    check(bpf_map__set_max_entries(map, entries), "size map");
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object()) {
    const bool wanted = std::find(programs_.begin(), programs_.end(), bpf_program__name(program)) != programs_.end();
    check(bpf_program__set_autoload(program, wanted), "choose programs");
  }
  bpf_map* ring = check(bpf_object__find_map_by_name(object(), "ring"), "find ring");
  if (options.ring_bytes > 0) check(bpf_map__set_max_entries(ring, options.ring_bytes), "size ring");
  check(bpf_object__load(object()), "load the BPF programs");
  ring_.reset(check(ring_buffer__new(bpf_map__fd(ring), TakeRecord, this, nullptr), "map the ring"));
}

bpf_object* Session::object() const {
  if (!object_) throw CallError(EBADF, "use a closed session");
  return object_.get();
}

int Session::MapFd(const char* name) const {
  return bpf_map__fd(check(bpf_object__find_map_by_name(object(), name), "find map"));
}

void Session::Attach(const std::string& cgroup_path) {
  captured_log.clear();
  Fd cgroup = cgroup_path.empty()
                  ? MountCgroup2()
                  : Fd(static_cast<int>(check(open(cgroup_path.c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC), "open the cgroup")));
  for (const auto& name : programs_) {
    bpf_program* program = check(bpf_object__find_program_by_name(object(), name.c_str()), "find program");
    const bool on_cgroup = bpf_program__type(program) != BPF_PROG_TYPE_TRACING;
    const std::string call = "attach " + name;
    links_.emplace_back(check(on_cgroup ? bpf_program__attach_cgroup(program, cgroup.get()) : bpf_program__attach(program),
                              call.c_str()));
  }
}

void Session::AddPid(uint32_t pid) {
  const uint8_t present = 1;
  check(bpf_map_update_elem(MapFd("scoped_processes"), &pid, &present, BPF_ANY), "put a process in scope");
}

void Session::RemovePid(uint32_t pid) {
  const int result = bpf_map_delete_elem(MapFd("scoped_processes"), &pid);
  if (result != -ENOENT) check(result, "take a process out of scope");
}

void Session::Pin(const std::string& directory, const std::vector<std::string>& maps) const {
  captured_log.clear();
  const auto path = [&](const char* kind, const std::string& name) { return directory + "/" + kind + "_" + name; };
  for (const auto& name : maps) check(bpf_obj_pin(MapFd(name.c_str()), path("map", name).c_str()), "pin a map");
  for (size_t i = 0; i < programs_.size(); i++) {
    const bpf_program* program = check(bpf_object__find_program_by_name(object(), programs_[i].c_str()), "find program");
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

size_t Session::Drain(uint8_t* out, size_t capacity, int timeout_ms) {
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
  if (used_ == 0 && timeout_ms > 0) {
    epoll_event event;
    epoll_wait(ring_buffer__epoll_fd(ring_.get()), &event, 1, timeout_ms);
    consume();
  }
  return used_;
}

std::vector<uint64_t> Session::Counters() const { return ReadCounters(MapFd("counters")); }

std::vector<uint8_t> Session::Fingerprints() const { return ReadFingerprints(MapFd("fingerprints")); }

std::vector<ProgramInfo> Session::Programs() const {
  std::vector<ProgramInfo> programs;
  for (const auto& name : programs_) {
    const bpf_program* program = check(bpf_object__find_program_by_name(object(), name.c_str()), "find program");
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
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object()) {
    bpf_map_info info = {};
    uint32_t length = sizeof(info);
    check(bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &length), "read map info");
    maps.push_back({bpf_map__name(map), info.id});
  }
  return maps;
}

void Session::Detach() { links_.clear(); }

void Session::Close() {
  links_.clear();
  ring_.reset();
  object_.reset();
}

}  // namespace tlsnap
