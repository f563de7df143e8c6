// A /dev/shm and an IPC namespace for one process and its descendants.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string_view>

namespace jarvis::shm {

inline constexpr std::string_view folder = "/dev/shm";

// For the calling process, which must have one thread, and for what it starts from now on. `size`: bytes that files in /dev/shm may have
// together; 0: as many as the kernel gives by itself, half of the machine's memory. Needs CAP_SYS_ADMIN. After a failure the process may
// be in namespaces that are not finished: it starts nothing any more.
Result<void> make_private(std::uint64_t size);

// Removes the System V segments of the namespaces that make_private() made, once nobody uses them. The kernel would do so some time after
// the last process has gone.
void remove_segments();

// Whether make_private() works here: tried in a child, which ends at once.
Result<void> try_private();

} // namespace jarvis::shm
