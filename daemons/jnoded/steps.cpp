// The part of NodeDaemon that deals with the steps of the jobs here: what the step server needs of it.
#include "node_daemon.hpp"

#include "daemon/log.hpp"

namespace jarvis::noded {

using daemon::log;

StepSurroundings NodeDaemon::step_surroundings()
{
    return {.node_name = setup_.node_name,
            .running = [this](JobId id) -> std::optional<node::JobKey> {
                for (auto job = jobs_.lower_bound({id, Incarnation{}}); job != jobs_.end() && job->first.job == id; ++job)
                    if (!job->second.ended && !job->second.member)
                        return job->first;
                return std::nullopt;
            },
            .topology = [this]() -> const Topology& { return known_; },
            .order = [this](const node::JobKey& key) { return setup_.folder.read_order(key); },
            .folder = [this](const node::JobKey& key) { return fmt::format("{}/{}", setup_.folder.jobs_path(), node::folder_name(key)); },
            .shepherd = [this](const node::JobKey& key) -> pid_t {
                const auto shepherd = setup_.folder.living_shepherd(key);
                return shepherd ? shepherd->pid : 0;
            },
            .session = [this] { return core_.link == node::Link::welcomed ? core_.session : 0; },
            .send =
                [this](wire::StepsEnded&& ends) {
                    const auto number = node::number_message(core_);
                    if (!number)
                        return;
                    wire::FromNode message;
                    message.set_session(number->session);
                    message.set_serial(number->serial);
                    *message.mutable_steps() = std::move(ends);
                    metrics_.to_controller.add();
                    controller_.send(message);
                },
            .remove_folder = [this](const node::JobKey& key) { setup_.folder.remove(key); },
            .member = [this](JobId id) -> std::optional<node::JobKey> {
                for (auto job = jobs_.lower_bound({id, Incarnation{}}); job != jobs_.end() && job->first.job == id; ++job)
                    if (!job->second.ended && job->second.member)
                        return job->first;
                return std::nullopt;
            },
            .dial = [this](std::string node) { return peers_.dial(std::move(node)); }};
}

// A node whose jobs cannot start steps runs them all the same, and says so.
void NodeDaemon::serve_steps()
{
    if (auto listening = steps_.listen(setup_.folder.step_socket()); !listening) {
        log().warn("jobs cannot start steps here: {}", listening.error().message);
        registration_.notes.push_back(fmt::format("no steps here: {}", listening.error().message));
    }
    if (auto listening = peers_.listen([this](wire::ChannelPtr channel) { steps_.take_peer(std::move(channel)); }); !listening)
        log().warn("other nodes cannot start tasks of steps here: {}", listening.error().message);
}

// Before the core says the end: the ends of its steps go first.
void NodeDaemon::note_end(const node::Input& input)
{
    if (const auto* ended = std::get_if<node::JobEnded>(&input))
        steps_.job_over(ended->key);
    if (const auto* died = std::get_if<node::ShepherdDied>(&input))
        steps_.job_over(died->key);
}

void NodeDaemon::take_up_steps()
{
    for (const auto& [key, job] : jobs_) {
        steps_.take_up(key);
        if (job.ended)
            steps_.job_over(key);
    }
    serve_steps();
}

} // namespace jarvis::noded
