// The tasks of a step on one of its other nodes, as jrun sees them: an agent there starts them, and what they write comes here. Or the
// one task that a jrun outside a job has: the jrun inside.
#pragma once

#include "client/frame_link.hpp"
#include "client/step_output.hpp"
#include "peer.pb.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>

namespace jarvis::client {

class StepRemote {
    struct Output {
        std::optional<LineLabels> labels;
        Sink* sink;
        bool shut = false; // the task was told that nobody reads it
    };
    struct Input {
        int fd;
        std::size_t credit;
    };

    std::string node_;
    FrameLink link_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, Output> outputs_; // by rank and stream
    std::map<std::uint32_t, Input> inputs_;                             // by rank
    std::set<std::uint32_t> left_;
    std::vector<wire::AgentTask> places_; // of its tasks, once it is known
    std::string trouble_;
    std::optional<Errc> refused_;
    bool started_ = false;
    std::size_t untold_ = 0; // bytes of output that came, and of which the other side does not know yet that we have got rid of them

    void take(wire::FromAgent&& message, const std::function<void(std::uint32_t rank, int status)>& on_end);
    void write(const wire::AgentBytes& bytes);
    void finish(std::uint32_t rank);
    void grant_more();

public:
    StepRemote(std::string node, FrameLink link) : node_(std::move(node)), link_(std::move(link)) {}

    const std::string& node() const { return node_; }
    // The first message, which says to the node daemon what this connection is for.
    void introduce(const wire::FromRun& message) { link_.send(message); }
    // Before start(): where a task's output goes, and what it reads.
    void add_task(std::uint32_t rank) { left_.insert(rank); }
    void add_output(std::uint32_t rank, std::uint32_t stream, std::optional<LineLabels> labels, Sink& sink);
    void add_input(std::uint32_t rank, int fd);
    void start(const wire::AgentStart& start);
    void signal(int signal);

    const std::set<std::uint32_t>& left() const { return left_; } // tasks that have not ended
    // Which processors its tasks have got, once.
    std::vector<wire::AgentTask> take_places() { return std::exchange(places_, {}); }
    // Why the rest of its tasks is lost; empty: it is not.
    const std::string& trouble() const { return trouble_; }
    std::optional<Errc> refused() const { return refused_; } // that is the trouble
    bool has_started() const { return started_; }

    // What to wait for: always as many, some of them of no descriptor.
    void add_to(std::vector<pollfd>& waits);
    std::size_t handle(const pollfd* waits, const std::function<void(std::uint32_t rank, int status)>& on_end); // how many were its own
};

} // namespace jarvis::client
