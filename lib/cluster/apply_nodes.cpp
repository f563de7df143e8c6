#include "cluster/apply_nodes.hpp"

#include "cluster/derived.hpp"
#include "cluster/suspension.hpp"
#include "cluster/run_ends.hpp"

#include <algorithm>

namespace jarvis::cluster {

namespace {

Node& add_node(State& state, const std::string& name)
{
    Node node;
    node.id = NodeId{static_cast<std::uint32_t>(state.nodes.size())};
    node.name = name;
    state.index.nodes.emplace(name, node.id);
    return state.nodes.emplace_back(std::move(node));
}

// Changes whether the node is silent, and keeps the index.
template <class Change>
void change_silence(State& state, Node& node, Change change)
{
    leave_silent(state, node);
    change(node);
    enter_silent(state, node);
}

void set_member(Run& run, NodeId node, MemberState to)
{
    if (const auto member = member_of(run, node); member && *member < run.members.size())
        run.members[*member] = to;
}

bool class_is_there(const State& state, const std::string& name)
{
    return std::ranges::find(state.settings.node_classes, name, &NodeClass::name) != state.settings.node_classes.end();
}

} // namespace

void declare_nodes(State& state)
{
    for (auto& node : state.nodes)
        node.declared = !node.node_class.empty() && class_is_there(state, node.node_class);
    for (const auto& name : state.settings.nodes) {
        const auto found = state.index.nodes.find(name);
        auto& node = found == state.index.nodes.end() ? add_node(state, name) : state.nodes[found->second.value];
        node.declared = true;
        node.node_class.clear();
    }
}

void lose_all_nodes(State& state, Instant at)
{
    for (auto& node : state.nodes)
        change_silence(state, node, [&](Node& n) {
            n.connected = false;
            n.since = at;
        });
}

void apply_event(State& state, Instant at, const NodeRegistered& event)
{
    auto& node = state.nodes[event.node.value];
    change_silence(state, node, [&](Node& n) {
        // What ran before a reboot does not run any more.
        if (n.registration && n.registration->boot_id != event.registration.boot_id)
            n.condemned.clear();
        n.registration = event.registration;
        if (!n.connected)
            n.since = at;
        n.connected = true;
    });
    recount_node(state, node);
}

void apply_event(State& state, Instant at, const NodeLost& event)
{
    change_silence(state, state.nodes[event.node.value], [&](Node& node) {
        node.connected = false;
        node.since = at;
    });
}

void apply_event(State& state, Instant, const NodeDrained& event) { state.nodes[event.node.value].drain = event.drain; }

void apply_event(State& state, Instant at, const NodeResumed& event)
{
    change_silence(state, state.nodes[event.node.value], [&](Node& node) {
        node.drain.reset();
        node.down.reset();
        if (!node.connected)
            node.since = at; // a silence that was put up with begins anew
    });
}

void apply_event(State& state, Instant, const NodeDowned& event)
{
    auto& node = state.nodes[event.node.value];
    change_silence(state, node, [&](Node& n) { n.down = event.down; });
    for (JobId id : node.jobs) {
        const auto& job = *state.jobs.at(id);
        const auto member = member_of(*job.run, node.id);
        const bool through = *member < job.run->members.size() && job.run->members[*member] == MemberState::finished;
        if (!through)
            node.condemned.emplace(JobRef{id, job.incarnation}, node.connected); // of one that is connected it is no surprise
    }
}

void apply_event(State& state, Instant, const NodeCleared& event)
{
    change_silence(state, state.nodes[event.node.value], [](Node& node) {
        node.condemned.clear();
        if (node.down && node.down->by.empty())
            node.down.reset();
    });
}

void apply_event(State& state, Instant at, const NodeViolation& event)
{
    auto& node = state.nodes[event.node.value];
    node.violations.push_back({event.job, event.text, state.wall(at)});
    if (node.violations.size() > max_violations)
        node.violations.erase(node.violations.begin());
    if (event.runs)
        node.condemned[event.job] = true;
}

void apply_event(State& state, Instant at, const NodeJoined& event)
{
    auto& node = add_node(state, event.name);
    node.node_class = event.node_class;
    node.since = at;
    index_partitions(state);
}

void apply_event(State& state, Instant, const NodePrepared& event)
{
    replace(state, event.job, [&](Job& job) { set_member(*job.run, event.node, MemberState::prepared); });
}

void apply_event(State& state, Instant at, const RunEnding& event)
{
    replace(state, event.job, [&](Job& job) {
        job.state = JobState::completing;
        end_suspension(*job.run, at);
        job.run->ending = event.ending;
        set_member(*job.run, event.node, MemberState::finished);
    });
}

void apply_event(State& state, Instant, const NodeFinished& event)
{
    replace(state, event.job, [&](Job& job) {
        if (job.run->ending)
            add_usage(job.run->ending->usage, event.usage, job.run->placement.nodes.front().node == event.node);
        set_member(*job.run, event.node, MemberState::finished);
    });
}

} // namespace jarvis::cluster
