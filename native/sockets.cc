// SPDX-License-Identifier: Apache-2.0
#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <exception>
#include <thread>

#include "error.h"
#include "handles.h"

namespace tlsnap {
namespace {

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

struct Reply {
  nlmsghdr header;
  nlmsgerr error;
  char rest[512];  // the request, and an extended acknowledgement
};

void ParseAddress(int family, const std::string& text, __be32 (&out)[4]) {
  if (inet_pton(family, text.c_str(), out) != 1) throw CallError(EINVAL, "read an address");
}

Request RequestFor(const Connection& connection) {
  Request request = {};
  const int family = connection.remote_address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DESTROY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.body.sdiag_family = static_cast<uint8_t>(family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = ~0u;
  request.body.id.idiag_sport = htons(connection.local_port);
  request.body.id.idiag_dport = htons(connection.remote_port);
  ParseAddress(family, connection.local_address, request.body.id.idiag_src);
  ParseAddress(family, connection.remote_address, request.body.id.idiag_dst);
  request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

void Ask(const Request& request) {
  const Fd netlink(static_cast<int>(check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), "open sock_diag")));
  check(send(netlink.get(), &request, sizeof(request), 0), "ask sock_diag");
  Reply reply = {};
  const long length = check(recv(netlink.get(), &reply, sizeof(reply), 0), "hear sock_diag");
  if (length < static_cast<long>(sizeof(nlmsghdr) + sizeof(nlmsgerr)) || reply.header.nlmsg_type != NLMSG_ERROR)
    throw CallError(EBADMSG, "hear sock_diag");
  if (reply.error.error != 0) throw CallError(-reply.error.error, "close the connection");
}

void EnterNetns(const std::string& path, uint64_t inode) {
  const Fd netns(static_cast<int>(check(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open the network namespace")));
  struct stat facts;
  check(fstat(netns.get(), &facts), "look at the network namespace");
  // The process may be another one by now, or have moved.
  if (facts.st_ino != inode) throw CallError(ESTALE, "look at the network namespace");
  check(setns(netns.get(), CLONE_NEWNET), "enter the network namespace");
}

}  // namespace

void DestroyConnection(const std::string& netns_path, uint64_t netns_inode, const Connection& connection) {
  const Request request = RequestFor(connection);
  std::exception_ptr failure;
  // setns(2) moves the calling thread only: one of its own, so that Node's threads stay where they are.
  std::thread([&] {
    try {
      EnterNetns(netns_path, netns_inode);
      Ask(request);
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace tlsnap
