// What administrators ask of the controller itself.
#pragma once

#include "front.hpp"

namespace jarvis::jctld {

asio::awaitable<wire::Reply> answer_admin(Front& front, cluster::Caller caller, wire::Request request);

// Reads the configuration file again and puts it in force, whole or not at all (SIGHUP does the same). The text says what changed and what
// needs a restart.
asio::awaitable<Result<std::string>> reload_configuration(Front& front);

} // namespace jarvis::jctld
