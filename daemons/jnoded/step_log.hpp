// What a restart of this daemon must find again of a job's steps: <job folder>/steps, frames of StepRecord in the order in which
// things happened. Thousands of short steps a second are one write each at their start and their end, in one file.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "steps.pb.h"

#include <functional>
#include <span>
#include <string>

namespace jarvis::noded {

class StepLog {
    std::string path_;
    Fd file_;
    std::size_t size_ = 0;
    std::size_t rewritten_ = 0; // its size when it was written anew

    explicit StepLog(std::string path) : path_(std::move(path)) {}

public:
    // `take` is given each record that is there already. One that a full disk has cut ends the file, and is cut off.
    static Result<StepLog> open(const std::string& job_folder, const std::function<void(wire::StepRecord&&)>& take);
    static bool exists(const std::string& job_folder);

    Result<void> append(const wire::StepRecord& record);
    // The file anew, with these records alone.
    Result<void> rewrite(std::span<const wire::StepRecord> records);
    // Twice as long as when it was, so that each byte is written twice on the average; and not short.
    bool is_long() const;
};

} // namespace jarvis::noded
