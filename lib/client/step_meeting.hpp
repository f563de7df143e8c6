// How a jrun outside a job hands its standard descriptors to the one inside that was made for it, on one machine: over a UNIX socket of
// its own. So the tasks write where the caller looks, without anybody between.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <string>
#include <string_view>

namespace jarvis::client {

// In the environment of such a job: where its caller listens, and what proves that the two belong together.
constexpr const char* caller_variable = "JRUN_CALLER";

struct CallerPlace {
    std::string token; // 16 random bytes
    std::string socket;
};
std::string format_caller_place(const CallerPlace& place); // "0123456789abcdef0123456789abcdef:/tmp/jrun.x7Yz3q/caller"
Result<CallerPlace> parse_caller_place(std::string_view text);

// The folder in which callers make theirs: TMPDIR, or /tmp where that is none or too long for a socket's path.
std::string meetings_folder(const char* tmpdir);

// A socket in a folder that nobody else may enter; both go with it.
class Meeting {
    CallerPlace place_;
    std::string folder_;
    Fd listener_;

public:
    Meeting() = default;
    Meeting(const Meeting&) = delete;
    Meeting& operator=(const Meeting&) = delete;
    ~Meeting() { close(); }

    Result<void> open();
    void close();
    const CallerPlace& place() const { return place_; }
    int fd() const { return listener_.get(); } // -1: closed

    // Who comes gets our descriptors, if it is of the same user (or of root, who may have everything) and knows the token. On the
    // connection a byte is a signal for the tasks, and its end the end of this process.
    Fd hand_over() const;
};

// Inside: takes the caller's descriptors in the place of our own.
Result<Fd> take_descriptors_of_caller(const CallerPlace& place);

} // namespace jarvis::client
