// What tasks write, when it passes through jrun: whole lines, each with its task's number before it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jarvis::client {

// Cuts one task's stream into lines and labels them.
class LineLabels {
    std::string label_;
    std::string rest_; // of a line whose end has not come

public:
    // "3: ", as wide as the highest number of all.
    LineLabels(std::uint32_t rank, std::uint32_t tasks);

    // Appends the lines that are whole now. One of more than a MiB is cut.
    void take(std::string_view bytes, std::string& out);
    // The stream is over: what is left is a line.
    void finish(std::string& out);
};

// A descriptor that is written to when it takes something, so that a reader who stands still does not keep jrun from its tasks.
class Sink {
    int fd_;
    std::string held_;
    bool broken_ = false; // nobody reads it any more

public:
    explicit Sink(int fd) : fd_(fd) {}

    int fd() const { return fd_; }
    std::string& held() { return held_; }
    bool wants_to_write() const { return !held_.empty() && !broken_; }
    bool is_full() const;
    bool is_broken() const { return broken_; }
    // As much as it takes at once, for a descriptor that poll(2) says is ready: whole lines where that is possible.
    void write_some();
    // All of it, however long that takes.
    void write_all();
};

} // namespace jarvis::client
