// Why a job waits: made by the code that decided it, told to the job's owner in one line.
#pragma once

#include "cluster/outcome.hpp"
#include "cluster/state.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace jarvis::cluster {

// Code: stable, for programs. Text: one line, for people.
struct WaitReason {
    std::string code;
    std::string text;
    friend bool operator==(const WaitReason&, const WaitReason&) = default;
};

// Why the head of a partition does not start now, when find_place() found nothing for it.
PartitionAdvice why_not(const State& state, std::uint32_t partition, const Job& head);

// What the newest passes said, by partition.
using AdviceBoard = std::map<std::uint32_t, PartitionAdvice>;

// The reason of any pending job: what follows from the state (held, begin time) from the state, the rest from the pass.
WaitReason wait_reason(const State& state, const AdviceBoard& board, const Job& job);

// The same for many jobs at one moment: what is true of all jobs behind a partition's first one is worded once.
class WaitReasons {
    // What is told to all jobs of a partition but these two: the first in line, and the one that the newest pass found first.
    struct Behind {
        std::shared_ptr<const WaitReason> reason;
        std::optional<JobId> head, examined;
    };
    const State& state_;
    const AdviceBoard& board_;
    std::map<std::string, Behind, std::less<>> behind_; // by partition

public:
    WaitReasons(const State& state, const AdviceBoard& board) : state_(state), board_(board) {}
    std::shared_ptr<const WaitReason> of(const Job& job);
};

} // namespace jarvis::cluster
