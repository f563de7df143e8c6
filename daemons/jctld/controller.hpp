// The controller put together: its threads, in the order in which work passes through them.
//
//   front (all connections) -> owner (decides) -> journal (stores) -> replica (queries) -> front (replies, nodes)
//                                                                       |-> history, snapshots
#pragma once

#include "config/config.hpp"
#include "daemon/options.hpp"

#include <memory>

namespace jarvis::jctld {

// Runs until SIGTERM, SIGINT or `jadmin shutdown`; running jobs go on. Returns the process's exit code.
int run_controller(std::shared_ptr<const config::Config> config, const daemon::CommonOptions& options);

// --check-state: reads the state without starting, and says what is there.
int check_state(const config::Config& config);

// --check-config, after the file itself was found good: the plugins and their settings.
Result<void> check_plugins(const config::Config& config);

} // namespace jarvis::jctld
