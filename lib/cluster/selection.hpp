// What a JobSelection names in the state, for the commands that people give about jobs.
#pragma once

#include "cluster/authorize.hpp"
#include "cluster/outcome.hpp"

namespace jarvis::cluster {

struct Selected {
    JobPtr named;             // the job, or the array whose tasks are meant
    std::vector<JobPtr> jobs; // that job, or those of the tasks that are jobs of their own
    IndexSet waiting;         // the tasks that are not
    bool whole = false;       // all of an array
    // One job or task: what does not fit it is an error. Of several, those that it fits are changed.
    bool is_one = false;
};
Result<Selected> select(const State& state, const JobSelection& selection);

// So many tasks can be split off an array by one command.
constexpr std::uint64_t max_split = 10'000;

// How a command went for the jobs of one selection.
class Tally {
    bool done_ = false;
    std::optional<Error> error_;

public:
    void add(const Result<void>& result)
    {
        if (result)
            done_ = true;
        else if (!error_ || result.error().code == Errc::denied)
            error_ = result.error();
    }
    // What is denied is told; what does not fit some of several jobs is not.
    Result<void> result() const
    {
        if (error_ && (!done_ || error_->code == Errc::denied))
            return std::unexpected(*error_);
        return {};
    }
};

// Runs one(selected, outcome) for each selection of a command that exists and that the caller may change, and replies with how
// it went. Jobs and tasks that were named before are left out of `selected`.
template <class CommandType, class One>
Outcome for_each_selection(const State& state, const CommandType& command, One one)
{
    Outcome outcome;
    std::vector<ItemResult> items;
    std::set<JobId> seen;
    std::map<std::uint64_t, IndexSet> seen_waiting;
    for (const auto& selection : command.jobs) {
        Result<void> result;
        auto selected = select(state, selection);
        if (!selected) {
            result = std::unexpected(selected.error());
        } else if (auto allowed = may_change(command.caller, *selected->named); !allowed) {
            result = allowed;
        } else {
            const bool some = !selected->jobs.empty() || !selected->waiting.empty();
            std::erase_if(selected->jobs, [&](const auto& job) { return !seen.insert(job->id).second; });
            if (!selected->waiting.empty()) {
                auto& known = seen_waiting[selection.job];
                selected->waiting -= known;
                known |= selected->waiting;
            }
            const bool again = some && selected->jobs.empty() && selected->waiting.empty();
            if (!again)
                result = one(*selected, outcome);
        }
        items.push_back({selection, {}, std::move(result)});
    }
    if (command.token != 0)
        outcome.effects.push_back(Reply{command.token, ReplyBody{std::move(items)}});
    return outcome;
}

} // namespace jarvis::cluster
