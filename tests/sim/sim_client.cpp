#include "sim_client.hpp"

#include <algorithm>

namespace jarvis::sim {

using namespace std::chrono_literals;

std::shared_ptr<const JobRequest> SimClients::some_request(std::uint32_t uid)
{
    auto request = std::make_shared<JobRequest>();
    request->account = Account{.uid = uid, .gid = uid, .groups = {}, .user = fmt::format("user{}", uid), .group = "users", .home = "/", .shell = "/bin/sh"};
    request->name = fmt::format("job{}", wishes_.size());
    request->partition = world_.chance(0.7) ? "batch" : "small";
    request->resources.tasks = 1 + static_cast<std::uint32_t>(world_.below(3));
    request->resources.cpus_per_task = 1 + static_cast<std::uint32_t>(world_.below(2));
    if (world_.chance(0.5))
        request->resources.memory_per_node = mebibytes(static_cast<std::int64_t>(1 + world_.below(4000)));
    else if (world_.chance(0.3))
        request->resources.memory_per_cpu = mebibytes(static_cast<std::int64_t>(1 + world_.below(900)));
    if (world_.chance(0.15))
        request->resources.nodes_min = 1 + static_cast<std::uint32_t>(world_.below(3));
    else
        request->resources.nodes_max = 1;
    request->resources.tasks = std::max(request->resources.tasks, request->resources.nodes_min);
    request->resources.exclusive = world_.chance(0.05);
    request->resources.wishes = some_wishes();
    request->time_limit = world_.between(1min, 2h);
    request->hold = world_.chance(0.05);
    if (world_.chance(0.1))
        request->begin = WallTime(world_.now + world_.between(0s, 3h));
    request->nice = static_cast<std::int32_t>(world_.below(3));
    request->requeue = world_.chance(0.5);
    request->output = "out-%j";
    request->working_directory = "/";
    BlobHash script;
    script.fill(static_cast<std::uint8_t>(world_.below(4)));
    request->script = script;
    BlobHash environment;
    environment.fill(9);
    request->environment = environment;
    add_relations(*request);
    return request;
}

// How a job is to lie inside its nodes: mostly as it comes.
PlacementWishes SimClients::some_wishes()
{
    PlacementWishes wishes;
    if (world_.chance(0.6))
        return wishes;
    if (world_.chance(0.5))
        wishes.memory = static_cast<MemoryBinding>(world_.below(4));
    if (world_.chance(0.3))
        wishes.place = static_cast<PlacePattern>(world_.below(3));
    if (world_.chance(0.2))
        wishes.alone_on = static_cast<AloneOn>(world_.below(4));
    if (world_.chance(0.1))
        wishes.numa_nodes = 1 + static_cast<std::uint32_t>(world_.below(2));
    if (world_.chance(0.1))
        (world_.chance(0.5) ? wishes.tasks_per_numa : world_.chance(0.5) ? wishes.tasks_per_l3 : wishes.tasks_per_package) =
            1 + static_cast<std::uint32_t>(world_.below(2));
    if (world_.chance(0.3)) {
        wishes.devices.push_back({"gpu", world_.chance(0.3) ? "large" : "", 1 + static_cast<std::uint32_t>(world_.below(2))});
        wishes.near_devices = world_.chance(0.5);
    }
    return wishes;
}

void SimClients::make_wish()
{
    const auto uid = static_cast<std::uint32_t>(1000 + world_.below(3));
    Wish wish{.request = some_request(uid), .id = {.uid = uid, .id = {}}, .acknowledged = {}, .refused = false, .alone = false};
    for (auto& byte : wish.id.id)
        byte = static_cast<std::uint8_t>(world_.below(256));
    wish.alone = world_.fault(0.03);
    world_.count["fault: client dies"] += wish.alone;
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
    send_(cluster::SubmitJob{.token = token, .caller = {wish.id.uid, wish.request->account->user, cluster::Role::user},
                             .request_id = wish.id, .digest = {}, .request = wish.request, .verdict = {}});
    if (!wish.alone)
        world_.after(world_.between(1s, 10s), [this, number] { submit(number); });
}

void SimClients::take(const cluster::Reply& reply)
{
    const auto found = waiting_.find(reply.token);
    if (found == waiting_.end())
        return;
    auto& wish = wishes_[found->second];
    if (wish.alone)
        return;
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
    by_job_[*job] = found->second;
    recent_.push_back(*job);
    if (recent_.size() > 20)
        recent_.erase(recent_.begin());
    if (world_.chance(0.3))
        world_.after(world_.between(0s, 2h), [this, id = *job] { change(id); });
}

// All of a job, or if it is an array now and then some of its tasks.
JobSelection SimClients::some_of(JobId job)
{
    JobSelection selection{job.value, {}};
    const auto wish = by_job_.find(job);
    if (wish == by_job_.end() || !wishes_[wish->second].request->is_array() || world_.chance(0.3))
        return selection;
    const auto& all = wishes_[wish->second].request->array->tasks;
    const auto from = static_cast<std::uint32_t>(world_.below(all.last() + 1));
    auto tasks = all & IndexSet::range(from, from + static_cast<std::uint32_t>(world_.below(4)));
    if (!tasks.empty())
        selection.tasks = std::move(tasks);
    return selection;
}

// What a job depends on: earlier ones, whether they still run or not.
Dependencies SimClients::some_dependencies(const JobRequest& request)
{
    Dependencies dependencies;
    const auto count = 1 + world_.below(3);
    for (std::uint64_t i = 0; i < count && !recent_.empty(); ++i) {
        Dependency dependency{static_cast<DependencyKind>(1 + world_.below(6)), recent_[world_.below(recent_.size())], {}};
        const auto& other = *wishes_[by_job_.at(dependency.job)].request;
        if (dependency.kind == DependencyKind::singleton)
            dependency.job = {};
        else if (dependency.kind == DependencyKind::after)
            dependency.delay = world_.chance(0.5) ? Duration{} : world_.between(0s, 1h);
        else if (dependency.kind == DependencyKind::aftercorr && !(request.is_array() && other.array->tasks.includes(request.array->tasks)))
            dependency.kind = DependencyKind::afterany;
        else if (other.is_array() && dependency.kind != DependencyKind::aftercorr && world_.chance(0.5))
            dependency.job.task = other.array->tasks.first();
        if (std::ranges::find(dependencies.list, dependency) == dependencies.list.end())
            dependencies.list.push_back(dependency);
    }
    dependencies.any = dependencies.list.size() > 1 && world_.chance(0.3);
    return dependencies;
}

// Task by task: each task of an earlier array lets its like start.
void SimClients::follow_an_array(JobRequest& request)
{
    for (JobId job : recent_) {
        const auto& other = *wishes_[by_job_.at(job)].request;
        if (!other.is_array() || world_.chance(0.5))
            continue;
        ++world_.count["array: follows another"];
        request.array = ArraySpec{other.array->tasks, request.array->throttle};
        request.dependencies = Dependencies{.any = false, .list = {{DependencyKind::aftercorr, job, {}}}};
        return;
    }
}

void SimClients::add_relations(JobRequest& request)
{
    if (world_.chance(0.15)) {
        const auto last = static_cast<std::uint32_t>(world_.below(12));
        const auto first = static_cast<std::uint32_t>(world_.below(last + 1));
        const auto throttle = world_.chance(0.4) ? 1 + static_cast<std::uint32_t>(world_.below(3)) : 0;
        request.array = ArraySpec{IndexSet::range(first, last), throttle};
        if (world_.chance(0.4))
            follow_an_array(request);
    }
    if (world_.chance(0.1))
        request.name = fmt::format("name{}", world_.below(3));
    if (request.dependencies->list.empty() && world_.chance(0.2))
        request.dependencies = some_dependencies(request);
    request.kill_on_invalid_dependency = world_.chance(0.5);
    if (world_.chance(0.2)) {
        RetryRule retry;
        retry.times = 1 + static_cast<std::uint32_t>(world_.below(3));
        retry.backoff_first = world_.between(0s, 1min);
        retry.backoff_most = world_.between(1min, 10min);
        retry.on_timeout = world_.chance(0.2);
        request.retry = std::move(retry);
    }
}

void SimClients::change(JobId job)
{
    const cluster::Caller owner{0, "root", cluster::Role::admin};
    switch (world_.below(7)) {
    case 0:
    case 1: send_(cluster::CancelJobs{0, owner, {some_of(job), some_of(job)}}); break;
    case 2:
        send_(cluster::HoldJobs{0, owner, {some_of(job)}});
        world_.after(world_.between(1s, 1h), [this, job] { send_(cluster::ReleaseJobs{0, {0, "root", cluster::Role::admin}, {{job.value, {}}}}); });
        break;
    case 3:
        send_(cluster::RequeueJobs{0, owner, {some_of(job)}});
        if (world_.chance(0.3))
            world_.after(world_.between(0s, 1min), [this, job] { give_up(job); });
        break;
    case 5:
        send_(cluster::SuspendJobs{0, owner, {some_of(job)}});
        world_.after(world_.between(1s, 3h), [this, job, owner] { send_(cluster::ResumeJobs{0, owner, {{job.value, {}}}}); });
        break;
    case 4: send_(cluster::SignalJobs{0, owner, {some_of(job)}, 10, false}); break;
    default: send_(cluster::CancelJobs{0, {4711, "mallory", cluster::Role::user}, {{job.value, {}}}}); break; // not theirs
    }
}

bool SimClients::satisfied() const { return unanswered().empty(); }

std::string SimClients::unanswered() const
{
    for (const auto& wish : wishes_)
        if (!wish.acknowledged && !wish.refused && !wish.alone)
            return wish.request->name;
    return {};
}

void SimClients::give_up(JobId job) { send_(cluster::CancelJobs{0, {0, "root", cluster::Role::admin}, {{job.value, {}}}}); }

void SimClients::release_all(const std::set<JobId>& jobs)
{
    std::vector<JobSelection> all;
    for (JobId job : jobs)
        all.push_back({job.value, {}});
    send_(cluster::ResumeJobs{0, {0, "root", cluster::Role::admin}, all});
    send_(cluster::ReleaseJobs{0, {0, "root", cluster::Role::admin}, std::move(all)});
    send_(cluster::ResumeNodes{0, {0, "root", cluster::Role::admin}, {"n0", "n1", "n2", "n3", "g0"}});
}

} // namespace jarvis::sim
