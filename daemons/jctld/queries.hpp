// What the replica answers: collected on its thread in one go, so that a long answer is of one sequence number, and rendered
// wherever the asker likes.
#pragma once

#include "client.pb.h"
#include "cluster/commands.hpp"
#include "replica.hpp"

#include <set>

namespace jarvis::jctld {

struct JobFilter {
    std::vector<JobSelection> jobs; // ascending
    std::set<std::uint32_t> uids;
    std::set<std::string> partitions;
    std::set<JobState> states;
    std::set<std::string> names;
    std::optional<cluster::RequestId> request;

    bool empty() const { return jobs.empty() && uids.empty() && partitions.empty() && states.empty() && names.empty() && !request; }
    bool matches(const cluster::Job& job) const;
    bool matches_but_state(const cluster::Job& job) const;
    // But for ids: whether some of the jobs that were named may be left out.
    bool narrows() const { return !uids.empty() || !states.empty() || !names.empty() || !partitions.empty(); }
};
// `uid` is the asker's, whose request ids they are.
Result<JobFilter> filter_from(const wire::JobFilter& message, std::uint32_t uid);

// The jobs of an answer. They stay as they are while it is rendered.
struct JobAnswer {
    SequenceNumber sequence;
    std::vector<ShownJob> jobs;                // ascending by id; an array before its tasks
    std::vector<std::shared_ptr<const cluster::WaitReason>> reasons; // of each; nothing for one that does not wait
    std::vector<JobSelection> unknown;
    NodeBriefs nodes;
};
enum class Ended : std::uint8_t {
    left_out, // unless they are named, by id or by state
    shown,
    for_history, // those that the accounting history has as jobs of their own: not the records of arrays
};
void put_unknown(const JobSelection& selection, wire::JobList& list);
JobAnswer find_jobs(const Replica& replica, const JobFilter& filter, Ended ended);
// One job, array or task; the answer is empty when there is none.
JobAnswer find_job(const Replica& replica, JobId id);

// What a command about these jobs is to change: whole arrays, or as many of their tasks as the filter lets through.
std::vector<JobSelection> select_jobs(const Replica& replica, const JobFilter& filter);

// One Reply after the other, each at most about 1 MiB, the last without `more`.
class JobListRenderer {
    JobAnswer answer_;
    cluster::Caller caller_;
    bool detail_;
    std::uint64_t tag_;
    std::size_t next_ = 0;
    bool done_ = false;
    wire::Reply reply_; // every part is made in it, so that its strings are allocated once

    void put(std::size_t index, wire::JobSummary& summary) const;

public:
    JobListRenderer(JobAnswer answer, cluster::Caller caller, bool detail, std::uint64_t tag)
        : answer_(std::move(answer)), caller_(std::move(caller)), detail_(detail), tag_(tag)
    {
    }
    // Until the next call; nothing after the last.
    const wire::Reply* next();
    wire::JobDetail detail_of(std::size_t index) const;
    const JobAnswer& answer() const { return answer_; }
};

// With `holdings`: and who holds what of each.
wire::NodeList find_nodes(const Replica& replica, const std::vector<std::string>& names, bool holdings);

// --test-only: whether the request would start now, and where, or what it would wait for.
wire::SubmitReply test_submit(const Replica& replica, const JobRequest& request);

} // namespace jarvis::jctld
