// Steps of jobs whose first node is another one: what the daemon there asks of this one, and the agents that start their tasks here.
#pragma once

#include "base/result.hpp"
#include "daemon/task_group.hpp"
#include "node/node_core.hpp"
#include "peer.pb.h"
#include "step_place.hpp"
#include "wire/channel.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace jarvis::noded {

namespace asio = boost::asio;

// The longest frame about a step: the processes or places of some ten thousand tasks.
constexpr std::size_t longest_step_frame = std::size_t{4} << 20;

// What it asks of the daemon.
struct PeerSurroundings {
    std::string node_name;
    std::function<bool(const node::JobKey& job)> is_member; // it lives here, and its script elsewhere
    std::function<const Topology&()> topology;
    std::function<Result<std::optional<wire::LaunchOrder>>(const node::JobKey& key)> order;
    std::function<pid_t(const node::JobKey& key)> shepherd; // 0: none
};

class StepPeers {
    struct Awaited {
        node::JobKey key;
        wire::ChannelPtr channel;
        asio::steady_timer arrival; // cancelled when there is one
    };
    struct Live {
        wire::ChannelPtr first; // to the job's first node
        wire::ChannelPtr agent; // null: not there yet
    };
    // Steps of a job that have ended. The first node numbers them in this order, and of late requests only the latest matter.
    class Ended {
        std::uint32_t below_ = 0; // all of these
        std::set<std::uint32_t> steps_;

    public:
        void insert(std::uint32_t step);
        bool contains(std::uint32_t step) const { return step < below_ || steps_.contains(step); }
    };
    using StepKey = std::pair<node::JobKey, std::uint32_t>;

    PeerSurroundings around_;
    std::map<node::JobKey, wire::ChannelPtr> agents_; // those that wait
    std::map<std::uint64_t, std::shared_ptr<Awaited>> awaited_;
    std::map<StepKey, Live> live_;
    std::map<node::JobKey, Ended> ended_; // a late request does not start them again
    std::uint64_t last_token_;

    asio::awaitable<void> answer(wire::ChannelPtr channel, wire::PeerRequest request, node::JobKey key, wire::LaunchOrder order);
    Result<wire::LaunchOrder> check(const wire::Channel& channel, const wire::PeerRequest& request, const node::JobKey& key) const;
    asio::awaitable<void> run_tasks(wire::ChannelPtr first, node::JobKey key, StepPlace place, wire::PeerTasks request);
    asio::awaitable<Result<wire::ChannelPtr>> call_agent(node::JobKey key);
    bool is_over(const node::JobKey& key, std::uint32_t step) const;
    asio::awaitable<wire::PeerAnswer> end_step(node::JobKey key, StepPlace place, std::uint32_t step);
    asio::awaitable<bool> kill_step(node::JobKey key, StepPlace place, std::uint32_t step);
    Result<node::JobKey> key_of_agent(const wire::Channel& channel, const wire::StepAgent& agent,
                                      const std::function<std::optional<node::JobKey>(JobId)>& find) const;

public:
    explicit StepPeers(PeerSurroundings around);

    // Of another node's daemon, until the connection ends.
    asio::awaitable<void> serve(wire::ChannelPtr channel, Result<wire::PeerRequest> request);
    // An agent, as long as it waits; one that was called is handed over to whoever called it.
    asio::awaitable<void> serve_agent(wire::ChannelPtr channel, wire::StepAgent agent,
                                      std::function<std::optional<node::JobKey>(JobId)> find);
    // The job has ended here.
    void forget(const node::JobKey& key);
};

} // namespace jarvis::noded
