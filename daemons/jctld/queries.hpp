// What the replica answers: collected on its thread in one go, so that a long answer is of one sequence number, and rendered
// wherever the asker likes.
#pragma once

#include "client.pb.h"
#include "cluster/commands.hpp"
#include "replica.hpp"

#include <set>

namespace jarvis::jctld {

struct JobFilter {
    std::vector<JobId> ids;
    std::set<std::uint32_t> uids;
    std::set<std::string> partitions;
    std::set<JobState> states;
    std::set<std::string> names;
    std::optional<cluster::RequestId> request;

    bool empty() const { return ids.empty() && uids.empty() && partitions.empty() && states.empty() && names.empty() && !request; }
    bool matches(const cluster::Job& job) const;
};
// `uid` is the asker's, whose request ids they are.
Result<JobFilter> filter_from(const wire::JobFilter& message, std::uint32_t uid);

// The jobs of an answer. They stay as they are while it is rendered.
struct JobAnswer {
    SequenceNumber sequence;
    std::vector<cluster::JobPtr> jobs;         // ascending by id
    std::vector<cluster::WaitReason> reasons;  // of each; empty for one that does not wait
    std::vector<JobId> unknown;
    NodeBriefs nodes;
};
JobAnswer find_jobs(const Replica& replica, const JobFilter& filter, bool include_ended);

// One Reply after the other, each at most about 1 MiB, the last without `more`.
class JobListRenderer {
    JobAnswer answer_;
    cluster::Caller caller_;
    bool detail_;
    std::uint64_t tag_;
    std::size_t next_ = 0;
    bool done_ = false;

public:
    JobListRenderer(JobAnswer answer, cluster::Caller caller, bool detail, std::uint64_t tag)
        : answer_(std::move(answer)), caller_(std::move(caller)), detail_(detail), tag_(tag)
    {
    }
    // Nothing after the last.
    std::optional<wire::Reply> next();
    wire::JobDetail detail_of(std::size_t index) const;
    const JobAnswer& answer() const { return answer_; }
};

wire::NodeList find_nodes(const Replica& replica, const std::vector<std::string>& names);

// --test-only: whether the request would start now, and where, or what it would wait for.
wire::SubmitReply test_submit(const Replica& replica, const JobRequest& request);

} // namespace jarvis::jctld
