// Closing other processes' TCP connections, as `ss --kill` does. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace tlsnap {

struct Connection {
  std::string local_address;  // IPv4 or IPv6 text; both of the same family
  std::string remote_address;
  uint16_t local_port;
  uint16_t remote_port;
};

// Closes a connection in the network namespace that `netns_path` leads to: its owner gets ECONNABORTED, its peer a RST.
// Throws CallError: ESTALE where the namespace is not the one with that inode, ENOENT where there is no such connection,
// EOPNOTSUPP where the kernel lacks CONFIG_INET_DIAG_DESTROY, EPERM without CAP_NET_ADMIN there.
void DestroyConnection(const std::string& netns_path, uint64_t netns_inode, const Connection& connection);

}  // namespace tlsnap
