// The controller's side of one node connection, and a real jnoded with its jshepherd below it: for tests of the node daemon.
#pragma once

#include "common.pb.h"
#include "node.pb.h"
#include "wire/frame.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace jarvis::test {

using namespace std::chrono_literals;

// A folder of its own, a configuration in it, and the daemon's process. Everything goes with the object.
class NodeUnderTest {
    std::string folder_;
    std::string node_name_;
    std::string uuid_;
    pid_t daemon_ = 0;
    int listener_ = -1;
    int connection_ = -1;
    wire::FrameReader reader_;
    std::uint64_t session_ = 0;
    std::uint64_t serial_ = 0;
    std::uint64_t epoch_ = 1;
    std::vector<wire::FromNode> received_;
    std::vector<wire::Ended> early_; // not yet asked for

    void write_configuration();
    void listen();
    std::optional<wire::FromNode> receive(std::chrono::milliseconds limit);

public:
    std::chrono::milliseconds kill_grace = 1s;

    explicit NodeUnderTest(const std::string& name);
    NodeUnderTest(const NodeUnderTest&) = delete;
    NodeUnderTest& operator=(const NodeUnderTest&) = delete;
    ~NodeUnderTest();

    const std::string& folder() const { return folder_; }
    std::string path(const std::string& name) const { return folder_ + "/" + name; }

    void start_daemon();
    void kill_daemon(int signal); // and waits for its end
    bool daemon_ends_within(std::chrono::milliseconds limit);
    // Takes the daemon's next connection up to the Welcome; returns its registration.
    wire::Register accept();
    void disconnect();
    void new_boot_id();

    wire::StartJob job(std::uint64_t id, const std::string& script, std::uint32_t incarnation = 1);
    // The part of a job that has its script on another node.
    wire::StartJob member(std::uint64_t id, std::uint32_t incarnation = 1);
    void send_start(const wire::StartJob& start);
    void send_stop(std::uint64_t id, std::uint32_t incarnation = 1, const std::string& cause = "cancelled by alice");
    void send_finish(std::uint64_t id, std::uint32_t incarnation = 1);
    void send_signal(std::uint64_t id, int signal, bool batch_only);
    void send_ack(std::uint64_t id, std::uint32_t incarnation = 1);
    void send(wire::ToNode message, bool twice = false);

    // The end of the job, also from a report; fails the test when it does not come.
    wire::Ended wait_ended(std::uint64_t id, std::uint32_t incarnation = 1, std::chrono::milliseconds limit = 20s);
    // Until the node says that the member is prepared, by itself or in a report; false: not within the limit.
    bool wait_prepared(std::uint64_t id, std::chrono::milliseconds limit = 20s);
    // The next full report.
    wire::Report wait_report(std::chrono::milliseconds limit = 10s);
    // How many times an Ended of its own (not in a report) came so far.
    int count_ended(std::uint64_t id) const;

    std::string read(const std::string& name) const;
    bool wait_for(const std::function<bool()>& condition, std::chrono::milliseconds limit = 10s) const;
    std::string run_folder() const;
    std::vector<std::string> cgroup_trees() const; // of this node
    std::vector<pid_t> processes_with(const std::string& word) const; // in their command line
};

} // namespace jarvis::test
