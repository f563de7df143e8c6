// One connection to the controller: connect, hello, ask.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client.pb.h"
#include "wire/blocking.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jarvis::client {

// A controller that says nothing for so long cannot answer now.
constexpr std::chrono::seconds answer_limit{30};

// A failure has the code of the controller's error, or `unavailable` when there was no answer; after the latter the
// session is of no more use.
class Session {
    wire::BlockingConnection connection_;
    std::uint64_t next_tag_ = 1;

    explicit Session(wire::BlockingConnection connection) : connection_(std::move(connection)) {}

public:
    // `program` is what the controller's log calls us ("jsub").
    static Result<Session> open(std::string_view program);

    // The only reply to a request; `limit` may be wire::no_deadline's stand-in, std::chrono::milliseconds::max().
    Result<wire::Reply> ask(wire::Request request, std::chrono::milliseconds limit = answer_limit);
    // Each reply of a stream, in order.
    Result<void> ask(wire::Request request, const std::function<void(wire::Reply&&)>& take);
};

// Opens a session and asks one thing.
Result<wire::Reply> ask_once(std::string_view program, wire::Request request);

// All parts of a list put together.
struct Jobs {
    std::vector<wire::JobSummary> summaries;
    std::vector<wire::JobDetail> details;
    std::vector<std::uint64_t> unknown_ids;
    std::vector<wire::JobSelection> unknown_selections;
    std::map<std::pair<JobId, std::uint32_t>, std::vector<wire::StepEnd>> steps; // by job and incarnation, where they were asked for
    std::string history_missing; // why the history could not be read; the unknown may be in it
    std::uint64_t sequence = 0;

    bool has_unknown() const { return !unknown_ids.empty() || !unknown_selections.empty(); }
};
Result<Jobs> ask_jobs(Session& session, wire::Request request);
Result<Jobs> ask_jobs(std::string_view program, wire::Request request);
// Hands on the jobs as they come; what is returned is all the rest.
Result<Jobs> ask_jobs(std::string_view program, wire::Request request, const std::function<void(const wire::JobList&)>& take);

} // namespace jarvis::client
