// The controller's signature under a start: who runs what, where, and which start of it that is. A node that talks TLS takes
// no start without it.
#pragma once

#include "node.pb.h"
#include "pki/certificate.hpp"

#include <string_view>

namespace jarvis::wire {

// What is signed: cluster, epoch, job, task, incarnation, node, role, nodes, account, script, environment, arguments, folder and files.
// Each with its length, so that no two starts have the same. It is not the message's own bytes: those are not the same in
// every version.
std::string signed_content(const StartJob& start, std::uint64_t epoch, std::string_view node);

Result<void> sign_start(StartJob& start, std::uint64_t epoch, std::string_view node, const pki::Key& key);
Result<void> check_start(const StartJob& start, std::uint64_t epoch, std::string_view node, const pki::Certificate& controller);

} // namespace jarvis::wire
