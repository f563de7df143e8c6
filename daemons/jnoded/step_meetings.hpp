// Where a jrun outside a job and the one inside that was made for it meet, when they are on different machines (or cannot see each
// other on one): the one inside waits at the daemon of its node, the other one asks the daemon of its own machine, which asks that one.
#pragma once

#include "base/result.hpp"
#include "node/node_core.hpp"
#include "peer.pb.h"
#include "wire/channel.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace jarvis::noded {

namespace asio = boost::asio;

// What it asks of the step server.
struct MeetingSurroundings {
    std::string node_name;
    std::function<std::optional<node::JobKey>(JobId job)> running; // whose script runs here
    std::function<Result<uid_t>(const node::JobKey& key)> owner;
    std::function<Result<node::JobKey>(const wire::Channel& channel, JobId job)> admit; // a process of that job, and of its owner
    std::function<asio::awaitable<Result<wire::ChannelPtr>>(std::string node)> dial;
};

class StepMeetings {
    struct Inner {
        std::string token;
        asio::steady_timer called; // cancelled when its caller has come
        wire::ChannelPtr caller;   // null: not yet
    };
    using InnerPtr = std::shared_ptr<Inner>;

    MeetingSurroundings around_;
    std::map<node::JobKey, InnerPtr> inners_; // also those that have their callers

    Result<node::JobKey> check(const wire::Channel& channel, const wire::StepInner& inner) const;
    asio::awaitable<void> bring(wire::ChannelPtr caller, JobId job, std::string token, uid_t uid);
    Result<bool> hand_over(const wire::ChannelPtr& caller, JobId job, const std::string& token, uid_t uid);
    asio::awaitable<void> pass_on(wire::ChannelPtr caller, JobId job, std::string token, uid_t uid, std::string node);

public:
    explicit StepMeetings(MeetingSurroundings around) : around_(std::move(around)) {}

    // The one inside, until it has met its caller and that is over.
    asio::awaitable<void> wait(wire::ChannelPtr channel, wire::StepInner inner);
    // The one outside, on this machine. It is handed over to the one that waits.
    asio::awaitable<void> call(wire::ChannelPtr channel, wire::StepCaller caller);
    // The same, on the machine of another node.
    asio::awaitable<void> call_from_node(wire::ChannelPtr channel, wire::PeerRequest request);
};

} // namespace jarvis::noded
