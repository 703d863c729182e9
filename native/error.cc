// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include <cstring>

#include "log.h"

namespace tlsnap {

CallError::CallError(int code, std::string call)
    : std::runtime_error(call + ": " + strerror(code)), code_(code), call_(std::move(call)), log_(TakeLog()) {}

}  // namespace tlsnap
