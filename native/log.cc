// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

namespace tlsnap {
namespace {

constexpr size_t kLogBytes = 64 * 1024;

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

}  // namespace

void CaptureLog() { libbpf_set_print(AppendLog); }

std::string TakeLog() { return std::exchange(captured_log, {}); }

}  // namespace tlsnap
