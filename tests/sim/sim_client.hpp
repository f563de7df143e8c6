// People: each submits a job, repeats the submit with the same request id until it is answered, and sometimes changes its
// mind. What was acknowledged to them is what must not be lost.
#pragma once

#include "cluster/commands.hpp"
#include "cluster/outcome.hpp"
#include "world.hpp"

#include <functional>
#include <set>

namespace jarvis::sim {

class SimClients {
    World& world_;
    std::function<void(cluster::Command)> send_; // to the controller: late, lost or doubled
    std::uint64_t last_token_ = 0;
    std::map<cluster::Token, std::uint64_t> waiting_; // which wish a token belongs to
    struct Wish {
        std::shared_ptr<const JobRequest> request;
        cluster::RequestId id;
        std::optional<JobId> acknowledged;
        bool refused = false;
        bool alone = false; // whoever submitted it died before the answer
    };
    std::vector<Wish> wishes_;
    std::set<JobId> acknowledged_;
    std::map<JobId, std::uint64_t> by_job_; // the wish of each
    std::vector<JobId> recent_;             // what new ones may depend on

    void submit(std::uint64_t wish);
    void change(JobId job);
    PlacementWishes some_wishes();
    std::shared_ptr<const JobRequest> some_request(std::uint32_t uid);
    JobSelection some_of(JobId job);
    Dependencies some_dependencies(const JobRequest& request);
    void follow_an_array(JobRequest& request);
    void add_relations(JobRequest& request);

public:
    SimClients(World& world, std::function<void(cluster::Command)> send) : world_(world), send_(std::move(send)) {}

    void make_wish();
    void take(const cluster::Reply& reply);
    const std::set<JobId>& acknowledged() const { return acknowledged_; }
    bool satisfied() const;
    // A wish that no answer came to, for a message.
    std::string unanswered() const;
    // Releases whatever is still held, so that everything can end.
    void release_all(const std::set<JobId>& jobs); // and all nodes
    // A job that no node can ever run is held by the scheduler: its owner gives up.
    void give_up(JobId job);
};

} // namespace jarvis::sim
