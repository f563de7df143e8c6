// Telling the service manager how we are (sd_notify(3)), without libsystemd. Without NOTIFY_SOCKET nothing happens.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace jarvis::daemon {

// True when a manager was told, false when there is none. The failure is worth a log line and no more.
Result<bool> notify(const std::string& assignments);

Result<bool> notify_ready(std::string_view status);     // started, or done with a reload
Result<bool> notify_reloading();
Result<bool> notify_stopping(std::string_view status);
Result<bool> notify_status(std::string_view status);    // one line for `systemctl status`
Result<bool> notify_main_pid(int pid);

} // namespace jarvis::daemon
