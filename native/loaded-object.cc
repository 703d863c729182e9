// SPDX-License-Identifier: Apache-2.0
#include "loaded-object.h"

#include <algorithm>
#include <cstring>
#include <future>

#include "error.h"
#include "log.h"

namespace tlsnap {
namespace {

using Names = std::vector<std::string>;

// Bytes of an array's element, or of the variable where it is none.
size_t ElementSize(const btf* types, uint32_t id, size_t size) {
  const btf_type* type = btf__type_by_id(types, static_cast<uint32_t>(btf__resolve_type(types, id)));
  return btf_is_array(type) && btf_array(type)->nelems > 0 ? size / btf_array(type)->nelems : size;
}

void SetTunables(bpf_object* object, const LoadOptions& options) {
  bpf_map* rodata = check(bpf_object__find_map_by_name(object, ".rodata"), "find .rodata");
  size_t rodata_size = 0;
  const auto* initial = static_cast<const uint8_t*>(check(bpf_map__initial_value(rodata, &rodata_size), "read .rodata"));
  std::vector<uint8_t> values(initial, initial + rodata_size);
  const btf* types = check(bpf_object__btf(object), "read the object's BTF");
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
}

void SizeMaps(bpf_object* object, const LoadOptions& options) {
  for (const auto& [name, entries] : options.map_entries) {
    bpf_map* map = check(bpf_object__find_map_by_name(object, name.c_str()), "find map");
    check(bpf_map__set_max_entries(map, entries), "size map");
  }
  bpf_map* ring = check(bpf_object__find_map_by_name(object, "ring"), "find ring");
  if (options.ring_bytes > 0) check(bpf_map__set_max_entries(ring, options.ring_bytes), "size ring");
}

// The object with these programs and no others, not loaded yet.
Object Open(const LoadOptions& options, const Names& names) {
  bpf_object_open_opts open_options = {};
  open_options.sz = sizeof(open_options);
  if (!options.btf_path.empty()) open_options.btf_custom_path = options.btf_path.c_str();
  Object object(check(bpf_object__open_file(options.object_path.c_str(), &open_options), "open the BPF object"));
  SetTunables(object.get(), options);
  SizeMaps(object.get(), options);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const bool wanted = std::find(names.begin(), names.end(), bpf_program__name(program)) != names.end();
    check(bpf_program__set_autoload(program, wanted), "choose programs");
  }
  return object;
}

void Load(bpf_object* object) { check(bpf_object__load(object), "load the BPF programs"); }

// Loads some of the programs on the maps of another object.
Object LoadPart(const LoadOptions& options, const Names& names, bpf_object* owner) {
  Object part = Open(options, names);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, part.get()) {
    bpf_map* owned = check(bpf_object__find_map_by_name(owner, bpf_map__name(map)), "find map");
    check(bpf_map__reuse_fd(map, bpf_map__fd(owned)), "share a map");
  }
  Load(part.get());
  return part;
}

}  // namespace

LoadedObject::LoadedObject(const LoadOptions& options) {
  TakeLog();
  maps_ = Open(options, options.parts.size() == 1 ? options.parts[0] : Names{});
  Load(maps_.get());
  if (options.parts.size() > 1) {
    // Where no thread can be had, one part is loaded after the other.
    constexpr auto kWhere = std::launch::async | std::launch::deferred;
    std::vector<std::future<Object>> loading;
    for (const Names& names : options.parts)
      loading.push_back(std::async(kWhere, LoadPart, std::cref(options), std::cref(names), maps_.get()));
    // A future that is destroyed is waited for: nothing goes on in the kernel behind an error.
    for (auto& part : loading) parts_.push_back(part.get());
  }
  const auto note = [this](const Names& names, bpf_object* object) {
    for (const auto& name : names)
      programs_[name] = check(bpf_object__find_program_by_name(object, name.c_str()), "find program");
  };
  for (size_t i = 0; i < options.parts.size(); i++)
    note(options.parts[i], parts_.empty() ? maps_.get() : parts_[i].get());
}

bpf_program* LoadedObject::Program(const std::string& name) const {
  const auto found = programs_.find(name);
  if (found == programs_.end()) throw CallError(ENOENT, "find program");
  return found->second;
}

int LoadedObject::MapFd(const std::string& name) const {
  return bpf_map__fd(check(bpf_object__find_map_by_name(maps_.get(), name.c_str()), "find map"));
}

std::vector<bpf_map*> LoadedObject::Maps() const {
  std::vector<bpf_map*> maps;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, maps_.get()) maps.push_back(map);
  return maps;
}

}  // namespace tlsnap
