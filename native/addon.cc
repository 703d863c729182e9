// The addon's surface: thin wrappers, no policy. SPDX-License-Identifier: Apache-2.0
#include <napi.h>

#include <cstring>

#include "error.h"
#include "inventory.h"
#include "log.h"
#include "recorder.h"
#include "session.h"
#include "sockets.h"

namespace tlsnap {

namespace {

// The one place where a failed call becomes a JavaScript error, with errno, the call and libbpf's log.
[[noreturn]] void Throw(Napi::Env env, const CallError& error) {
  Napi::Error thrown = Napi::Error::New(env, error.what());
  thrown.Set("code", Napi::String::New(env, strerrorname_np(error.code()) ? strerrorname_np(error.code()) : "UNKNOWN"));
  thrown.Set("errno", Napi::Number::New(env, error.code()));
  thrown.Set("syscall", Napi::String::New(env, error.call()));
  thrown.Set("log", Napi::String::New(env, error.log()));
  throw thrown;
}

template <typename Body>
auto Guard(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const CallError& error) {
    Throw(env, error);
  } catch (const std::bad_alloc&) {
    Throw(env, CallError(ENOMEM, "allocate memory"));
  }
}

// Node's N-API calls back without regard to C++: every exported function goes through here.
template <Napi::Value (*Body)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  return Guard(info.Env(), [&] { return Body(info); });
}

Napi::Value ProgramsToValue(Napi::Env env, const std::vector<ProgramInfo>& programs) {
  Napi::Array out = Napi::Array::New(env, programs.size());
  for (uint32_t i = 0; i < programs.size(); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", programs[i].name);
    entry.Set("id", programs[i].id);
    entry.Set("tag", programs[i].tag);
    out.Set(i, entry);
  }
  return out;
}

// A number, or an array of them.
std::vector<uint64_t> ReadNumbers(const Napi::Value& value) {
  if (!value.IsArray()) return {static_cast<uint64_t>(value.As<Napi::Number>().Int64Value())};
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<uint64_t> numbers;
  for (uint32_t i = 0; i < array.Length(); i++)
    numbers.push_back(static_cast<uint64_t>(static_cast<Napi::Value>(array[i]).As<Napi::Number>().Int64Value()));
  return numbers;
}

std::vector<std::string> ReadNames(const Napi::Value& value) {
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<std::string> names;
  for (uint32_t i = 0; i < array.Length(); i++) names.push_back(static_cast<Napi::Value>(array[i]).As<Napi::String>());
  return names;
}

Napi::Value NamesToValue(Napi::Env env, const std::vector<std::string>& names) {
  Napi::Array out = Napi::Array::New(env, names.size());
  for (uint32_t i = 0; i < names.size(); i++) out.Set(i, names[i]);
  return out;
}

Napi::Value CountsToValue(Napi::Env env, const std::vector<uint64_t>& counts) {
  Napi::Array out = Napi::Array::New(env, counts.size());
  for (uint32_t i = 0; i < counts.size(); i++) out.Set(i, Napi::Number::New(env, static_cast<double>(counts[i])));
  return out;
}

Napi::Value BytesToValue(Napi::Env env, const std::vector<uint8_t>& bytes) {
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size());
}

LoadOptions ReadOptions(const Napi::Object& value) {
  LoadOptions options;
  options.object_path = value.Get("objectPath").As<Napi::String>();
  options.btf_path = value.Get("btfPath").As<Napi::String>();
  options.ring_bytes = value.Get("ringBytes").As<Napi::Number>();
  const Napi::Object tunables = value.Get("tunables").As<Napi::Object>();
  for (const auto& [name, property] : tunables)
    options.tunables[name.As<Napi::String>()] = ReadNumbers(static_cast<Napi::Value>(property));
  const Napi::Object entries = value.Get("mapEntries").As<Napi::Object>();
  for (const auto& [name, number] : entries)
    options.map_entries[name.As<Napi::String>()] = static_cast<Napi::Value>(number).As<Napi::Number>().Uint32Value();
  const Napi::Array parts = value.Get("parts").As<Napi::Array>();
  for (uint32_t i = 0; i < parts.Length(); i++) options.parts.push_back(ReadNames(static_cast<Napi::Value>(parts[i])));
  return options;
}

class SessionWrap : public Napi::ObjectWrap<SessionWrap> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Session",
                       {InstanceMethod<&SessionWrap::Attach>("attach"), InstanceMethod<&SessionWrap::AddPid>("addPid"),
                        InstanceMethod<&SessionWrap::RemovePid>("removePid"), InstanceMethod<&SessionWrap::Drain>("drain"),
                        InstanceMethod<&SessionWrap::Counters>("counters"),
                        InstanceMethod<&SessionWrap::Fingerprints>("fingerprints"),
                        InstanceMethod<&SessionWrap::Programs>("programs"),
                        InstanceMethod<&SessionWrap::DetachedPrograms>("detachedPrograms"),
                        InstanceMethod<&SessionWrap::Maps>("maps"),
                        InstanceMethod<&SessionWrap::Pin>("pin"), InstanceMethod<&SessionWrap::Detach>("detach"), InstanceMethod<&SessionWrap::Close>("close")});
  }

  explicit SessionWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<SessionWrap>(info), session_(Guard(info.Env(), [&] {
          const Napi::Object options = info[0].As<Napi::Object>();
          return std::make_unique<Session>(ReadOptions(options), ReadNames(options.Get("programs")));
        })) {}

 private:
  Napi::Value Attach(const Napi::CallbackInfo& info) {
    Guard(info.Env(), [&] { session_->Attach(info[0].As<Napi::String>()); });
    return info.Env().Undefined();
  }

  Napi::Value AddPid(const Napi::CallbackInfo& info) {
    Guard(info.Env(), [&] { session_->AddPid(info[0].As<Napi::Number>()); });
    return info.Env().Undefined();
  }

  Napi::Value RemovePid(const Napi::CallbackInfo& info) {
    Guard(info.Env(), [&] { session_->RemovePid(info[0].As<Napi::Number>()); });
    return info.Env().Undefined();
  }

  Napi::Value Drain(const Napi::CallbackInfo& info) {
    auto out = info[0].As<Napi::Uint8Array>();
    const int timeout = info[1].As<Napi::Number>();
    const bool until_woken = info[2].ToBoolean();
    const size_t used =
        Guard(info.Env(), [&] { return session_->Drain(out.Data(), out.ByteLength(), timeout, until_woken); });
    return Napi::Number::New(info.Env(), static_cast<double>(used));
  }

  Napi::Value Counters(const Napi::CallbackInfo& info) {
    return CountsToValue(info.Env(), Guard(info.Env(), [&] { return session_->Counters(); }));
  }

  Napi::Value Fingerprints(const Napi::CallbackInfo& info) {
    return BytesToValue(info.Env(), Guard(info.Env(), [&] { return session_->Fingerprints(); }));
  }

  Napi::Value Pin(const Napi::CallbackInfo& info) {
    Guard(info.Env(), [&] { session_->Pin(info[0].As<Napi::String>(), ReadNames(info[1])); });
    return info.Env().Undefined();
  }

  Napi::Value Programs(const Napi::CallbackInfo& info) {
    return ProgramsToValue(info.Env(), Guard(info.Env(), [&] { return session_->Programs(); }));
  }

  Napi::Value DetachedPrograms(const Napi::CallbackInfo& info) {
    return NamesToValue(info.Env(), Guard(info.Env(), [&] { return session_->DetachedPrograms(); }));
  }

  Napi::Value Maps(const Napi::CallbackInfo& info) {
    const auto maps = Guard(info.Env(), [&] { return session_->Maps(); });
    Napi::Array out = Napi::Array::New(info.Env(), maps.size());
    for (uint32_t i = 0; i < maps.size(); i++) {
      Napi::Object entry = Napi::Object::New(info.Env());
      entry.Set("name", maps[i].name);
      entry.Set("id", maps[i].id);
      out.Set(i, entry);
    }
    return out;
  }

  Napi::Value Detach(const Napi::CallbackInfo& info) {
    session_->Detach();
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    session_->Close();
    return info.Env().Undefined();
  }

  // By pointer: libbpf keeps the session's address as the ring's context.
  std::unique_ptr<Session> session_;
};

class RecorderWrap : public Napi::ObjectWrap<RecorderWrap> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Recorder",
                       {InstanceMethod<&RecorderWrap::Facts>("facts"), InstanceMethod<&RecorderWrap::Counters>("counters"),
                        InstanceMethod<&RecorderWrap::Fingerprints>("fingerprints"),
                        InstanceMethod<&RecorderWrap::Slots>("slots"),
                        InstanceMethod<&RecorderWrap::Processes>("processes"),
                        InstanceMethod<&RecorderWrap::IsAttached>("isAttached"),
                        InstanceMethod<&RecorderWrap::Entries>("entries")});
  }

  explicit RecorderWrap(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<RecorderWrap>(info),
        recorder_(Guard(info.Env(), [&] { return Recorder(info[0].As<Napi::String>()); })) {}

 private:
  Napi::Value Facts(const Napi::CallbackInfo& info) {
    return Napi::String::New(info.Env(), Guard(info.Env(), [&] { return recorder_.Facts(); }));
  }

  Napi::Value Counters(const Napi::CallbackInfo& info) {
    return CountsToValue(info.Env(), Guard(info.Env(), [&] { return recorder_.Counters(); }));
  }

  Napi::Value Fingerprints(const Napi::CallbackInfo& info) {
    return BytesToValue(info.Env(), Guard(info.Env(), [&] { return recorder_.Fingerprints(); }));
  }

  Napi::Value Slots(const Napi::CallbackInfo& info) {
    const RecordedSlots slots = Guard(info.Env(), [&] { return recorder_.Slots(); });
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("records", BytesToValue(info.Env(), slots.records));
    out.Set("used", static_cast<double>(slots.used));
    out.Set("taken", static_cast<double>(slots.taken));
    out.Set("oldestBootNs", Napi::BigInt::New(info.Env(), slots.oldest_boot_ns));
    return out;
  }

  Napi::Value Processes(const Napi::CallbackInfo& info) {
    return BytesToValue(info.Env(), Guard(info.Env(), [&] { return recorder_.Processes(); }));
  }

  Napi::Value IsAttached(const Napi::CallbackInfo& info) {
    const std::string program = info[0].As<Napi::String>();
    return Napi::Boolean::New(info.Env(), Guard(info.Env(), [&] { return recorder_.IsAttached(program); }));
  }

  Napi::Value Entries(const Napi::CallbackInfo& info) {
    Napi::Object out = Napi::Object::New(info.Env());
    Guard(info.Env(), [&] {
      out.Set("fingerprints", static_cast<double>(recorder_.FingerprintCount()));
      out.Set("processes", static_cast<double>(recorder_.ProcessCount()));
    });
    return out;
  }

  Recorder recorder_;
};

Napi::Value PinFactsFromValue(const Napi::CallbackInfo& info) {
  PinFacts(info[0].As<Napi::String>(), info[1].As<Napi::String>());
  return info.Env().Undefined();
}

Napi::Value ClocksToValue(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Clocks clocks = ReadClocks();
  Napi::Object out = Napi::Object::New(env);
  out.Set("realtime", Napi::BigInt::New(env, clocks.realtime));
  out.Set("monotonic", Napi::BigInt::New(env, clocks.monotonic));
  out.Set("boottime", Napi::BigInt::New(env, clocks.boottime));
  out.Set("tai", Napi::BigInt::New(env, clocks.tai));
  out.Set("state", clocks.state);
  out.Set("status", clocks.status);
  out.Set("offsetNs", static_cast<double>(clocks.offset_ns));
  out.Set("maxErrorUs", static_cast<double>(clocks.max_error_us));
  out.Set("estimatedErrorUs", static_cast<double>(clocks.estimated_error_us));
  out.Set("taiOffsetS", clocks.tai_offset_s);
  return out;
}

Napi::Value LoadedProgramsToValue(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto programs = LoadedPrograms();
  Napi::Array out = Napi::Array::New(env, programs.size());
  for (uint32_t i = 0; i < programs.size(); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("id", programs[i].id);
    entry.Set("type", programs[i].type);
    entry.Set("name", programs[i].name);
    entry.Set("tag", programs[i].tag);
    entry.Set("uid", programs[i].uid);
    entry.Set("loadBootNs", Napi::BigInt::New(env, programs[i].load_boot_ns));
    out.Set(i, entry);
  }
  return out;
}

Napi::Value LoadedLinksToValue(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto links = LoadedLinks();
  Napi::Array out = Napi::Array::New(env, links.size());
  for (uint32_t i = 0; i < links.size(); i++) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("id", links[i].id);
    entry.Set("type", links[i].type);
    entry.Set("programId", links[i].program_id);
    entry.Set("cgroupId", Napi::BigInt::New(env, links[i].cgroup_id));
    entry.Set("attachType", links[i].attach_type);
    out.Set(i, entry);
  }
  return out;
}

Napi::Value AttachedProgramsToValue(const Napi::CallbackInfo& info) {
  const auto ids = AttachedPrograms(info[0].As<Napi::String>(), info[1].As<Napi::String>());
  Napi::Array out = Napi::Array::New(info.Env(), ids.size());
  for (uint32_t i = 0; i < ids.size(); i++) out.Set(i, ids[i]);
  return out;
}

Napi::Value StructLayoutToValue(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Layout layout = StructLayout(info[0].As<Napi::String>(), info[1].As<Napi::String>());
  Napi::Object members = Napi::Object::New(env);
  for (const Member& member : layout.members) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("offset", member.offset);
    entry.Set("size", member.size);
    members.Set(member.name, entry);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("size", layout.size);
  out.Set("members", members);
  return out;
}

Napi::Value HasTaskBtfToValue(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), HasTaskBtf()); }

Napi::Value KernelHasFunctionToValue(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), KernelHasFunction(info[0].As<Napi::String>()));
}

Napi::Value EnumValuesToValue(const Napi::CallbackInfo& info) {
  Napi::Object out = Napi::Object::New(info.Env());
  for (const auto& [name, value] : EnumValues(info[0].As<Napi::String>(), info[1].As<Napi::String>()))
    out.Set(name, Napi::Number::New(info.Env(), static_cast<double>(value)));
  return out;
}

Napi::Value DestroyConnectionOf(const Napi::CallbackInfo& info) {
  const Napi::Object value = info[2].As<Napi::Object>();
  Connection connection;
  connection.local_address = value.Get("localAddress").As<Napi::String>();
  connection.remote_address = value.Get("remoteAddress").As<Napi::String>();
  connection.local_port = static_cast<uint16_t>(value.Get("localPort").As<Napi::Number>().Uint32Value());
  connection.remote_port = static_cast<uint16_t>(value.Get("remotePort").As<Napi::Number>().Uint32Value());
  const auto inode = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  DestroyConnection(info[0].As<Napi::String>(), inode, connection);
  return info.Env().Undefined();
}

Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  CaptureLog();
  exports.Set("Session", SessionWrap::Define(env));
  exports.Set("libbpfVersion", Napi::String::New(env, libbpf_version_string()));
  exports.Set("Recorder", RecorderWrap::Define(env));
  exports.Set("pinFacts", Napi::Function::New<Guarded<PinFactsFromValue>>(env));
  exports.Set("clocks", Napi::Function::New<Guarded<ClocksToValue>>(env));
  exports.Set("loadedPrograms", Napi::Function::New<Guarded<LoadedProgramsToValue>>(env));
  exports.Set("loadedLinks", Napi::Function::New<Guarded<LoadedLinksToValue>>(env));
  exports.Set("attachedPrograms", Napi::Function::New<Guarded<AttachedProgramsToValue>>(env));
  exports.Set("destroyConnection", Napi::Function::New<Guarded<DestroyConnectionOf>>(env));
  exports.Set("structLayout", Napi::Function::New<Guarded<StructLayoutToValue>>(env));
  exports.Set("hasTaskBtf", Napi::Function::New<Guarded<HasTaskBtfToValue>>(env));
  exports.Set("kernelHasFunction", Napi::Function::New<Guarded<KernelHasFunctionToValue>>(env));
  exports.Set("enumValues", Napi::Function::New<Guarded<EnumValuesToValue>>(env));
  return exports;
}

}  // namespace
}  // namespace tlsnap

static Napi::Object Register(Napi::Env env, Napi::Object exports) { return tlsnap::Initialise(env, exports); }

NODE_API_MODULE(tlsnap, Register)
