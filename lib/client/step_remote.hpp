// The tasks of a step on one of its other nodes, as jrun sees them: an agent there starts them, and what they write comes here.
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

    void take(wire::FromAgent&& message, const std::function<void(std::uint32_t rank, int status)>& on_end);
    void write(const wire::AgentBytes& bytes);
    void finish(std::uint32_t rank);

public:
    StepRemote(std::string node, FrameLink link) : node_(std::move(node)), link_(std::move(link)) {}

    const std::string& node() const { return node_; }
    void introduce(wire::StepStream stream);
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

    // What to wait for: always as many, some of them of no descriptor.
    void add_to(std::vector<pollfd>& waits) const;
    std::size_t handle(const pollfd* waits, const std::function<void(std::uint32_t rank, int status)>& on_end); // how many were its own
};

} // namespace jarvis::client
