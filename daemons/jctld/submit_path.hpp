// A submit on its way to the owner: everything that may wait or block is done here, before the command is made.
#pragma once

#include "front.hpp"

namespace jarvis::jctld {

// The reply, without its tag. The account is looked up, limits are checked, the policy plugin is asked, script and
// environment are hashed and pinned; then the owner decides.
asio::awaitable<Result<wire::Reply>> take_submit(Front& front, cluster::Caller caller, wire::Submit submit);

} // namespace jarvis::jctld
