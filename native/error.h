// How a failed system or libbpf call becomes a JavaScript error. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>

namespace tlsnap {

// A call that failed: `code` is the positive errno, `call` the operation's name, `log` what libbpf said of it on the thread
// that made the call.
class CallError : public std::runtime_error {
 public:
  CallError(int code, std::string call);

  int code() const { return code_; }
  const std::string& call() const { return call_; }
  const std::string& log() const { return log_; }

 private:
  int code_;
  std::string call_;
  std::string log_;
};

// Throws for a negative result: libbpf returns -errno, system calls return -1 and set errno.
inline long check(long result, const char* call) {
  if (result >= 0) return result;
  throw CallError(result == -1 && errno != 0 ? errno : static_cast<int>(-result), call);
}

// Throws where libbpf returned NULL and set errno.
template <typename T>
T* check(T* pointer, const char* call) {
  if (pointer == nullptr) throw CallError(errno, call);
  return pointer;
}

}  // namespace tlsnap
