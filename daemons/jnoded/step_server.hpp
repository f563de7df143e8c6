// The socket on which jrun asks for steps, <run-time folder>/steps.sock. One connection is one step: it is asked for, granted
// when its cores are free, and over when jrun says so or is gone. A job's steps are served by the node daemon of its first node;
// the controller is told of their ends, at most once a second.
#pragma once

#include "base/result.hpp"
#include "daemon/task_group.hpp"
#include "node.pb.h"
#include "peer.pb.h"
#include "step_job.hpp"
#include "step_meetings.hpp"
#include "step_peers.hpp"
#include "wire/channel.hpp"
#include "wire/unix_channel.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace jarvis::noded {

namespace asio = boost::asio;

// What it asks of the daemon.
struct StepSurroundings {
    std::string node_name;
    std::function<std::optional<node::JobKey>(JobId job)> running; // whose script runs here
    std::function<const Topology&()> topology;
    std::function<Result<std::optional<wire::LaunchOrder>>(const node::JobKey& key)> order;
    std::function<std::string(const node::JobKey& key)> folder;
    std::function<pid_t(const node::JobKey& key)> shepherd;         // 0: none
    std::function<std::uint64_t()> session;                         // with the controller; 0: none
    std::function<void(wire::StepsEnded&& ends)> send;
    std::function<void(const node::JobKey& key)> remove_folder;
    std::function<std::optional<node::JobKey>(JobId job)> member; // that lives here, and its script elsewhere
    std::function<asio::awaitable<Result<wire::ChannelPtr>>(std::string node)> dial;
};

class StepServer {
    struct Connection {
        wire::ChannelPtr channel;
        node::JobKey key;
        wire::StepRequest request;
        pid_t pid = 0;
        std::uint64_t start_time = 0;
        std::optional<std::uint32_t> step; // granted
        bool over = false; // the job has ended
    };
    using ConnectionPtr = std::shared_ptr<Connection>;

    asio::io_context& io_;
    StepSurroundings around_;
    std::unique_ptr<wire::UnixListener> listener_;
    std::map<node::JobKey, StepJob> jobs_;
    std::map<node::StepTicket, ConnectionPtr> connections_;
    std::map<node::JobKey, std::pair<std::string, int>> unreached_; // what was wrong with one of its nodes, for so many seconds more
    std::map<node::JobKey, int> leaving_; // whose end is journaled, and that are kept for so many seconds more
    node::StepTicket last_ticket_ = 0;
    std::uint64_t session_ = 0; // in which was sent what counts as sent
    std::size_t sockets_ = 0;   // connections, those that have asked for nothing yet included
    std::size_t max_sockets_;
    int quiet_seconds_ = 0;     // since anything was sent
    bool stopping_ = false;
    StepPeers peers_;
    StepMeetings meetings_;
    daemon::TaskGroup tasks_;

    asio::awaitable<void> accept();
    asio::awaitable<void> serve(wire::ChannelPtr channel);
    asio::awaitable<void> serve_one(wire::ChannelPtr channel);
    asio::awaitable<void> hear(node::StepTicket ticket, ConnectionPtr connection);
    Result<ConnectionPtr> open(const wire::ChannelPtr& channel, const wire::FromRun& first);
    Result<StepJob*> job_of(const node::JobKey& key);
    Result<node::JobKey> job_of_peer(const wire::Channel& channel, JobId job);
    PeerSurroundings peer_surroundings() const;
    MeetingSurroundings meeting_surroundings();
    bool resume(node::StepTicket ticket, Connection& connection, StepJob& job);
    void enter(node::StepTicket ticket, Connection& connection, StepJob& job);
    void give(const node::JobKey& key, std::vector<node::GrantedStep> granted);
    StepJob::Running* find_running(const node::JobKey& key, std::uint32_t step); // null: it has ended
    asio::awaitable<void> finish(node::JobKey key, std::uint32_t step, wire::StepOver over, bool kill);
    // step_elsewhere.cpp: the job's other nodes
    Result<wire::PeerRequest> stream_request(const wire::Channel& channel, const wire::StepStream& stream, std::string& node);
    asio::awaitable<void> stream(wire::ChannelPtr channel, wire::StepStream stream);
    asio::awaitable<Result<wire::PeerAnswer>> ask_peer(std::string node, wire::PeerRequest request);
    struct Gathering; // of several nodes' answers
    asio::awaitable<void> gather(std::vector<asio::awaitable<void>> all);
    asio::awaitable<void> learn(node::JobKey key);
    asio::awaitable<void> learn_of(node::JobKey key, std::string node);
    asio::awaitable<std::vector<wire::Usage>> end_elsewhere(node::JobKey key, std::uint32_t step);
    asio::awaitable<void> end_on(node::JobKey key, std::uint32_t step, std::string node, std::shared_ptr<std::vector<wire::Usage>> usage);
    wire::PeerRequest peer_request(const node::JobKey& key) const;
    asio::awaitable<void> await_return(node::JobKey key, std::uint32_t step);
    asio::awaitable<void> report();
    void send_ends(StepJob& job);
    void let_go(std::map<node::JobKey, int>::iterator job);

public:
    StepServer(asio::io_context& io, StepSurroundings around);

    Result<void> listen(const std::string& path);
    // A connection of another node's daemon.
    void take_peer(wire::ChannelPtr channel);
    // Of a job that an earlier daemon knew: it goes on, and whoever asked for its steps comes back or they are ended.
    void take_up(const node::JobKey& key);
    // The job's processes are gone, and so are its steps; their ends are sent before its own.
    void job_over(const node::JobKey& key);
    // The job's end is journaled. Whether its folder may go now; else remove_folder is called once its steps are acknowledged.
    bool forget(const node::JobKey& key);
    void acknowledged(const wire::AckSteps& ack);
    void stop();
};

} // namespace jarvis::noded
