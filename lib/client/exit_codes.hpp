// What commands return (EXIT STATUS of their man pages), in one place.
#pragma once

#include "base/result.hpp"

namespace jarvis::client {

enum class Exit : int {
    done = 0,
    failed = 1,    // refused by the cluster, or failed
    usage = 2,     // anything wrong in what was typed, an unreadable script included
    not_found = 3, // no such job, node, partition or user; of a list, what exists is done first
    no_answer = 4, // not reachable, cannot answer now, or outcome unknown
};

// jsub --wait: the job ended without an exit code or signal of its own.
constexpr int exit_without_status = 125;

// With the number of the signal that ended a program, as a shell's $? (POSIX, 2.8.2).
constexpr int exit_of_signal = 128;

// For a failure that the cluster answered or that came from asking it. What was wrong in the typed words is found before
// anything is asked, and is always Exit::usage.
constexpr Exit exit_for(Errc code)
{
    switch (code) {
    case Errc::not_found:
        return Exit::not_found;
    case Errc::unavailable:
        return Exit::no_answer;
    case Errc::invalid:
    case Errc::denied:
    case Errc::corrupt:
        break;
    }
    return Exit::failed;
}

// Of a list in which some failed: what nobody answered comes first, then what was refused, then what is not there.
constexpr Exit worse(Exit a, Exit b)
{
    for (Exit candidate : {Exit::no_answer, Exit::usage, Exit::failed, Exit::not_found})
        if (a == candidate || b == candidate)
            return candidate;
    return Exit::done;
}

} // namespace jarvis::client
