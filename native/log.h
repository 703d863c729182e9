// What libbpf has to say, kept for the error that it belongs to. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace tlsnap {

// Sends libbpf's messages into TakeLog instead of stderr.
void CaptureLog();

// The log that libbpf wrote on this thread since the last call, the verifier's included; bounded.
std::string TakeLog();

}  // namespace tlsnap
