// What the launcher and its templates say to each other on their socket pair. Both ends are the same program file, so
// these are plain structs; an order's bytes stay the message that jnoded sent.
#pragma once

#include <cstdint>

namespace jarvis::shepherd {

enum class RequestKind : std::uint32_t {
    launch = 1, // fork a shepherd
    clean = 2   // fork one that only removes what a dead shepherd left
};

// Launcher to template, followed by `size` bytes of a ToLauncher message with a launch order.
struct RequestHeader {
    std::uint32_t size;
    RequestKind kind;
};

// Template to launcher: once when it has loaded its runtime, then one for each request, in their order.
struct Reply {
    std::int32_t pid;   // of the new process; 0: there is none, and `value` is errno; -1: the report after loading
    std::int32_t value; // of the report: how many bytes of text follow; none means that all is well
};

// How a shepherd exits; the launcher acts on it. Any other end is a death: the launcher cleans up behind it.
enum class ShepherdExit : int {
    done = 0,           // the exit record is there
    failed = 3,         // it could not go on
    started_before = 4, // another shepherd had this job folder: nothing was touched
    no_record = 5       // the job was seen to its end and the record could not be written
};

} // namespace jarvis::shepherd
