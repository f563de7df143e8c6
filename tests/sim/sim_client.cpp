#include "sim_client.hpp"

namespace jarvis::sim {

using namespace std::chrono_literals;

std::shared_ptr<const JobRequest> SimClients::some_request(std::uint32_t uid)
{
    auto request = std::make_shared<JobRequest>();
    request->account = {.uid = uid, .gid = uid, .groups = {}, .user = fmt::format("user{}", uid), .group = "users", .home = "/", .shell = "/bin/sh"};
    request->name = fmt::format("job{}", wishes_.size());
    request->partition = world_.chance(0.7) ? "batch" : "small";
    request->resources.tasks = 1 + static_cast<std::uint32_t>(world_.below(3));
    request->resources.cpus_per_task = 1 + static_cast<std::uint32_t>(world_.below(2));
    if (world_.chance(0.5))
        request->resources.memory_per_node = mebibytes(static_cast<std::int64_t>(1 + world_.below(4000)));
    else if (world_.chance(0.3))
        request->resources.memory_per_cpu = mebibytes(static_cast<std::int64_t>(1 + world_.below(900)));
    request->resources.nodes_max = 1;
    request->resources.exclusive = world_.chance(0.05);
    request->time_limit = world_.between(1min, 2h);
    request->hold = world_.chance(0.05);
    if (world_.chance(0.1))
        request->begin = WallTime(world_.now + world_.between(0s, 3h));
    request->nice = static_cast<std::int32_t>(world_.below(3));
    request->requeue = world_.chance(0.5);
    request->output = "out-%j";
    request->working_directory = "/";
    request->script.fill(static_cast<std::uint8_t>(world_.below(4)));
    request->environment.fill(9);
    return request;
}

void SimClients::make_wish()
{
    const auto uid = static_cast<std::uint32_t>(1000 + world_.below(3));
    Wish wish{.request = some_request(uid), .id = {.uid = uid, .id = {}}, .acknowledged = {}, .refused = false};
    for (auto& byte : wish.id.id)
        byte = static_cast<std::uint8_t>(world_.below(256));
    wishes_.push_back(std::move(wish));
    submit(wishes_.size() - 1);
}

void SimClients::submit(std::uint64_t number)
{
    const auto& wish = wishes_[number];
    if (wish.acknowledged || wish.refused)
        return;
    const auto token = ++last_token_;
    waiting_[token] = number;
    send_(cluster::SubmitJob{.token = token, .caller = {wish.id.uid, wish.request->account.user, cluster::Role::user},
                             .request_id = wish.id, .digest = {}, .request = wish.request, .verdict = {}});
    world_.after(world_.between(1s, 10s), [this, number] { submit(number); });
}

void SimClients::take(const cluster::Reply& reply)
{
    const auto found = waiting_.find(reply.token);
    if (found == waiting_.end())
        return;
    auto& wish = wishes_[found->second];
    if (!reply.body) {
        wish.refused |= reply.body.error().code != Errc::unavailable;
        return;
    }
    const auto* job = std::get_if<JobId>(&*reply.body);
    if (!job)
        return;
    if (wish.acknowledged && *wish.acknowledged != *job)
        broken("one submit became two jobs: {} and {}", *wish.acknowledged, *job);
    if (wish.acknowledged)
        return;
    wish.acknowledged = *job;
    if (!acknowledged_.insert(*job).second)
        broken("two submits were given the same job {}", *job);
    if (world_.chance(0.3))
        world_.after(world_.between(0s, 2h), [this, id = *job] { change(id); });
}

void SimClients::change(JobId job)
{
    const cluster::Caller owner{0, "root", cluster::Role::admin};
    switch (world_.below(5)) {
    case 0:
    case 1: send_(cluster::CancelJobs{0, owner, {job, job}}); break;
    case 2:
        send_(cluster::HoldJobs{0, owner, {job}});
        world_.after(world_.between(1s, 1h), [this, job] { send_(cluster::ReleaseJobs{0, {0, "root", cluster::Role::admin}, {job}}); });
        break;
    case 3: send_(cluster::SignalJobs{0, owner, {job}, 10, false}); break;
    default: send_(cluster::CancelJobs{0, {4711, "mallory", cluster::Role::user}, {job}}); break; // not theirs
    }
}

bool SimClients::satisfied() const { return unanswered().empty(); }

std::string SimClients::unanswered() const
{
    for (const auto& wish : wishes_)
        if (!wish.acknowledged && !wish.refused)
            return wish.request->name;
    return {};
}

void SimClients::give_up(JobId job) { send_(cluster::CancelJobs{0, {0, "root", cluster::Role::admin}, {job}}); }

void SimClients::release_all()
{
    send_(cluster::ReleaseJobs{0, {0, "root", cluster::Role::admin}, {acknowledged_.begin(), acknowledged_.end()}});
    send_(cluster::ResumeNodes{0, {0, "root", cluster::Role::admin}, {"n0", "n1", "n2", "n3"}});
}

} // namespace jarvis::sim
