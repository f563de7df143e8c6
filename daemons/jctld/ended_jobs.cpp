#include "ended_jobs.hpp"

namespace jarvis::jctld {

NodeBriefs make_briefs(const cluster::State& state)
{
    auto briefs = std::make_shared<std::vector<NodeBrief>>();
    for (const auto& node : state.nodes) {
        const auto capabilities = node.registration ? node.registration->capabilities : Capabilities{};
        briefs->push_back({node.name, std::string(name(confinement_of(capabilities))), format_capabilities(capabilities)});
    }
    return briefs;
}

void EndedCollector::before(const cluster::State& state, const cluster::Event& event, Instant at)
{
    const auto* requeued = std::get_if<cluster::JobRequeued>(&event);
    if (!requeued)
        return;
    auto record = std::make_shared<cluster::Job>(*state.find(requeued->job));
    record->state = JobState::node_fail;
    record->ended = cluster::Ended{.end = {.state = JobState::node_fail, .end_class = EndClass::node, .exit_code = {}, .signal = 0,
                                           .cause = requeued->cause + "; requeued"},
                                   .usage = {}, .at = at, .wall = state.wall(at)};
    jobs_.push_back(std::move(record));
}

void EndedCollector::after(const cluster::State& state, const cluster::Event& event)
{
    if (const auto* ended = std::get_if<cluster::JobEnded>(&event))
        jobs_.push_back(state.find(ended->job));
}

} // namespace jarvis::jctld
