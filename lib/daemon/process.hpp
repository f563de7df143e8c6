// What a daemon says to the kernel about itself.
#pragma once

#include <string_view>

namespace jarvis::daemon {

// As ps -L, top -H and perf show the calling thread; at most 15 bytes.
void name_thread(std::string_view name);

// As many open files as the hard limit permits: each connection is one, and the usual soft limit is meant for programs
// that use select(2). Children inherit that: whoever starts a program of somebody else's sets it back.
void allow_many_files();

} // namespace jarvis::daemon
