#include "step_server.hpp"

#include "cgroup_tree.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "processes.hpp"
#include "step_cgroup.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/hello.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <csignal>

#include <sys/resource.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

using namespace std::chrono_literals;
using daemon::log;

constexpr auto request_limit = 10s;
// A jrun tries to come back every 200 ms; one that has not done so by then is not coming.
constexpr auto return_limit = 30s;
// A jrun that was stopped (^Z), or whose output nobody reads, is there all the same; what waits for it here is bounded.
constexpr std::chrono::milliseconds reader_limit = std::chrono::days(365);
constexpr int send_again_seconds = 10;
// A controller that does not acknowledge steps is an older one; nothing is kept for it for ever.
constexpr int keep_seconds = 60;

// Everything that descends from these processes, as far as they still are the ones that were meant.
bool kill_processes(const wire::StepProcesses& processes)
{
    const auto members = [&] {
        std::vector<pid_t> pids;
        for (const auto& one : processes.processes()) {
            const auto process = read_process(one.pid());
            if (!process || process->start_time != one.start_time() || process->state == 'Z')
                continue;
            pids.push_back(one.pid());
            const auto below = descendants(one.pid());
            pids.insert(pids.end(), below.begin(), below.end());
        }
        return pids;
    };
    return signal_members(members, SIGKILL) > 0;
}

// Half of the descriptors that this daemon may have.
std::size_t most_sockets()
{
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return std::clamp<std::size_t>(limit.rlim_cur / 2, 64, 16384);
}

wire::ToRun refusal(const Error& error)
{
    wire::ToRun message;
    *message.mutable_refused() = wire::to_message(error);
    return message;
}

wire::ToRun granting(wire::StepGrant grant)
{
    wire::ToRun message;
    *message.mutable_grant() = std::move(grant);
    *message.mutable_grant()->mutable_hello() = wire::make_hello(wire::Hello::NODE, "jnoded", wall_now());
    return message;
}

} // namespace

StepServer::StepServer(asio::io_context& io, StepSurroundings around)
    : io_(io), around_(std::move(around)), max_sockets_(most_sockets()), peers_(peer_surroundings()),
      meetings_(meeting_surroundings()), tasks_(io.get_executor(), "steps")
{
}

PeerSurroundings StepServer::peer_surroundings() const
{
    return {.node_name = around_.node_name,
            .is_member = [this](const node::JobKey& key) { return around_.member(key.job) == key; },
            .topology = around_.topology,
            .order = around_.order,
            .shepherd = around_.shepherd};
}

MeetingSurroundings StepServer::meeting_surroundings()
{
    return {.node_name = around_.node_name,
            .running = around_.running,
            .owner = [this](const node::JobKey& key) -> Result<uid_t> {
                const auto job = job_of(key);
                return job ? Result<uid_t>((**job).place().owner()) : std::unexpected(job.error());
            },
            .admit = [this](const wire::Channel& channel, JobId job) { return job_of_peer(channel, job); },
            .dial = around_.dial};
}

Result<void> StepServer::listen(const std::string& path)
{
    auto listener = wire::UnixListener::open(io_.get_executor(), {.path = path});
    if (!listener)
        return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    tasks_.spawn("accept", accept());
    tasks_.spawn("report", report());
    return {};
}

asio::awaitable<void> StepServer::accept()
{
    while (listener_->is_open()) {
        auto channel = co_await listener_->accept(io_.get_executor(), {.stall_limit = reader_limit});
        if (channel && sockets_ >= max_sockets_)
            (**channel).close(); // jrun tries again
        else if (channel)
            tasks_.spawn("step", serve(std::move(*channel)));
        else if (listener_->is_open())
            log().warn("{}", channel.error().message);
    }
}

void StepServer::take_peer(wire::ChannelPtr channel)
{
    if (sockets_ >= max_sockets_)
        return channel->close();
    tasks_.spawn("peer", serve(std::move(channel)));
}

// ---- One connection

asio::awaitable<void> StepServer::serve(wire::ChannelPtr channel)
{
    struct Count {
        std::size_t& sockets;
        explicit Count(std::size_t& counted) : sockets(counted) { ++sockets; }
        ~Count() { --sockets; }
    } const count(sockets_);
    co_await serve_one(std::move(channel));
}

asio::awaitable<void> StepServer::serve_one(wire::ChannelPtr channel)
{
    const auto peer = channel->credentials();
    if (!peer || peer->uid == ::geteuid())
        channel->set_max_frame(longest_step_frame); // maybe another node's daemon; by its certificate it is one
    auto frame = co_await daemon::within(request_limit, "waiting for a step's request", channel->read_frame());
    if (!frame || !*frame)
        co_return channel->close();
    auto first = wire::parse<wire::FromRun>(**frame);
    if (first && first->body_case() == wire::FromRun::kPeer) {
        auto request = wire::parse<wire::PeerRequest>(first->peer());
        if (request && request->has_caller())
            co_await meetings_.call_from_node(channel, std::move(*request));
        else
            co_await peers_.serve(channel, std::move(request));
        co_return;
    }
    if (first && first->has_inner()) {
        co_await meetings_.wait(channel, std::move(*first->mutable_inner()));
        co_return;
    }
    if (first && first->has_caller()) {
        co_await meetings_.call(channel, std::move(*first->mutable_caller()));
        co_return;
    }
    if (first && first->has_agent()) {
        co_await peers_.serve_agent(channel, std::move(*first->mutable_agent()), around_.member);
        co_return;
    }
    if (first && first->has_stream()) {
        co_await stream(channel, std::move(*first->mutable_stream()));
        co_return;
    }
    auto opened = first ? open(channel, *first) : std::unexpected(first.error());
    if (!opened) {
        log().debug("a step is refused: {}", opened.error().message);
        (void)channel->send(refusal(opened.error()));
        (void)co_await channel->flush();
        co_return channel->close();
    }
    const auto ticket = ++last_ticket_;
    const auto connection = *opened;
    connections_[ticket] = connection;
    co_await learn(connection->key);
    auto job = job_of(connection->key);
    if (job && !connection->over && !resume(ticket, *connection, **job))
        enter(ticket, *connection, **job);
    if (job && !connection->over)
        co_await hear(ticket, connection);
    connections_.erase(ticket);
    channel->close();
}

Result<StepServer::ConnectionPtr> StepServer::open(const wire::ChannelPtr& channel, const wire::FromRun& first)
{
    if (!first.has_request())
        return fail(Errc::corrupt, "the first message asks for no step");
    const auto& request = first.request();
    if (auto good = wire::check_hello(request.hello(), {}, "jrun"); !good)
        return std::unexpected(good.error());
    const auto id = wire::job_id_of(request);
    if (!id)
        return std::unexpected(id.error());
    const auto key = job_of_peer(*channel, *id);
    if (!key)
        return std::unexpected(key.error());
    const auto peer = channel->credentials();
    const auto of_job = std::ranges::count_if(connections_, [&](const auto& one) { return one.second->key == *key; });
    if (static_cast<std::size_t>(of_job) >= max_sockets_ / 4)
        return fail(Errc::unavailable, "job {} has {} steps already; try again", *id, of_job);
    if (auto wish = wish_from(request); !wish)
        return std::unexpected(wish.error());
    channel->set_max_frame(longest_step_frame);
    const auto process = read_process(peer->pid);
    return std::make_shared<Connection>(Connection{.channel = channel,
                                                   .key = *key,
                                                   .request = request,
                                                   .pid = peer->pid,
                                                   .start_time = process ? process->start_time : 0,
                                                   .step = {}});
}

// Of a process of its owner, or of root, inside it.
Result<node::JobKey> StepServer::job_of_peer(const wire::Channel& channel, JobId id)
{
    const auto key = around_.running(id);
    if (!key)
        return fail(Errc::not_found, "job {} does not run its script on node {}", id, around_.node_name);
    const auto job = job_of(*key);
    if (!job)
        return std::unexpected(job.error());
    const auto peer = channel.credentials();
    if (!peer || (peer->uid != (**job).place().owner() && peer->uid != 0))
        return fail(Errc::denied, "job {} belongs to uid {}", id, (**job).place().owner());
    if (!(**job).place().is_inside(peer->pid, around_.shepherd(*key)))
        return fail(Errc::denied, "process {} is not inside job {}", peer->pid, key->job);
    return *key;
}

Result<StepJob*> StepServer::job_of(const node::JobKey& key)
{
    if (const auto found = jobs_.find(key); found != jobs_.end())
        return &found->second;
    auto order = around_.order(key);
    if (!order)
        return std::unexpected(order.error());
    if (!*order)
        return fail(Errc::not_found, "job {} is not known here", key.job);
    if ((**order).cores_size() == 0)
        return fail(Errc::unavailable, "job {} was started by an older version, which knew no steps", key.job);
    auto job = StepJob::open(key, **order, around_.topology(), around_.node_name, around_.folder(key));
    if (!job)
        return std::unexpected(job.error());
    return &jobs_.emplace(key, std::move(*job)).first->second;
}

// After a restart of this daemon, or of the connection: the step runs on, and is this one's again.
bool StepServer::resume(node::StepTicket ticket, Connection& connection, StepJob& job)
{
    for (auto& [step, running] : job.running()) {
        if (running.started.request().token() != connection.request.token() || running.started.pid() != connection.pid)
            continue;
        if (running.ending) { // as soon as what it left is gone, its cores are another step's
            (void)connection.channel->send(refusal({Errc::unavailable, fmt::format("step {} is being ended: its connection was lost", step)}));
            return true;
        }
        if (const auto earlier = connections_.find(running.ticket); earlier != connections_.end())
            earlier->second->channel->close(); // its jrun speaks here now
        running.ticket = ticket;
        connection.step = step;
        (void)connection.channel->send(granting(running.started.grant()));
        return true;
    }
    return false;
}

void StepServer::enter(node::StepTicket ticket, Connection& connection, StepJob& job)
{
    const auto wish = wish_from(connection.request);
    auto answer = wish ? job.ask(ticket, *wish) : std::unexpected(wish.error());
    const auto unreached = unreached_.find(connection.key);
    if (!answer && answer.error().code == Errc::invalid && unreached != unreached_.end()) {
        (void)connection.channel->send(refusal({Errc::unavailable, unreached->second.first}));
    } else if (!answer) {
        (void)connection.channel->send(refusal(answer.error()));
    } else if (const auto* waits = std::get_if<node::WaitingStep>(&*answer)) {
        wire::ToRun message;
        message.mutable_waits()->set_reason(waits->reason);
        (void)connection.channel->send(message);
    } else {
        give(connection.key, {std::get<node::GrantedStep>(std::move(*answer))});
    }
}

// A step that cannot begin gives its cores back, which may let others begin.
void StepServer::give(const node::JobKey& key, std::vector<node::GrantedStep> granted)
{
    const auto job = jobs_.find(key);
    for (std::size_t i = 0; job != jobs_.end() && i < granted.size(); ++i) {
        const auto step = granted[i].step;
        const auto connection = connections_.find(granted[i].ticket);
        auto grant = connection == connections_.end()
                         ? fail(Errc::unavailable, "it is gone")
                         : job->second.begin(granted[i], connection->second->request, connection->second->pid,
                                             connection->second->start_time);
        if (grant) {
            connection->second->step = step;
            log().debug({{"job", key.job}}, "step {} starts, of {} tasks", step, grant->tasks_size());
            (void)connection->second->channel->send(granting(std::move(*grant)));
            continue;
        }
        if (connection != connections_.end()) {
            log().warn({{"job", key.job}}, "step {} cannot start: {}", step, grant.error().message);
            (void)connection->second->channel->send(refusal(grant.error()));
        }
        auto more = job->second.release(step);
        std::ranges::move(more, std::back_inserter(granted));
    }
}

// Until the step is over, by its jrun's word or because that is gone.
asio::awaitable<void> StepServer::hear(node::StepTicket ticket, ConnectionPtr connection)
{
    const auto channel = connection->channel;
    while (true) {
        auto frame = co_await channel->read_frame();
        auto message = frame && *frame ? wire::parse<wire::FromRun>(**frame) : fail(Errc::unavailable, "jrun was killed");
        const auto job = jobs_.find(connection->key);
        if (stopping_ || connection->over || job == jobs_.end())
            co_return;
        const auto step = connection->step;
        if (!step) {
            if (message)
                continue; // nothing can be said of a step that has not begun
            give(connection->key, job->second.leave(ticket));
            co_return;
        }
        const auto* running = find_running(connection->key, *step);
        if (!running || running->ticket != ticket)
            co_return;
        if (message && message->has_processes()) {
            job->second.note_processes(*step, message->processes());
            continue;
        }
        const bool own_word = message && message->has_over();
        wire::StepOver over;
        if (own_word && wire::from_message(message->over().usage()) &&
            wire::check_text(message->over().cause(), wire::limits::cause, "cause")) {
            over = message->over();
        } else {
            over.set_signal(SIGKILL);
            over.set_cause(message ? "jrun said something senseless" : "jrun was killed");
        }
        co_await finish(connection->key, *step, std::move(over), !own_word);
        if (channel->is_open() && own_word) {
            wire::ToRun recorded;
            recorded.mutable_recorded();
            (void)channel->send(recorded);
            (void)co_await channel->flush();
        }
        co_return;
    }
}

// ---- Ends

// What it left is killed, and its cores are free when nothing of it lives any more. Without cgroups only what jrun itself has
// left behind can be found: it waits for its tasks.
asio::awaitable<void> StepServer::finish(node::JobKey key, std::uint32_t step, wire::StepOver over, bool kill)
{
    auto* running = find_running(key, step);
    if (!running || std::exchange(running->ending, true))
        co_return;
    const auto group = running->started.grant().cgroup();
    const auto processes = running->processes;
    for (auto pause = 1ms; group.empty() ? kill && kill_processes(processes) : cgroup_kill(group);
         pause = std::min<std::chrono::milliseconds>(pause * 2, 1s))
        co_await daemon::sleep_for(pause);
    const auto elsewhere = co_await end_elsewhere(key, step);
    if (!find_running(key, step))
        co_return; // the job ended meanwhile
    auto& job = jobs_.at(key);
    job.end(step, over, elsewhere);
    if (!group.empty() && !remove_step_groups(group))
        log().debug({{"job", key.job}}, "step {}: {} is removed with its job", step, group);
    log().debug({{"job", key.job}}, "step {} has ended", step);
    give(key, job.release(step));
}

StepJob::Running* StepServer::find_running(const node::JobKey& key, std::uint32_t step)
{
    const auto job = jobs_.find(key);
    if (job == jobs_.end())
        return nullptr;
    const auto running = job->second.running().find(step);
    return running == job->second.running().end() ? nullptr : &running->second;
}

void StepServer::take_up(const node::JobKey& key)
{
    if (!StepLog::exists(around_.folder(key)))
        return;
    auto job = job_of(key);
    if (!job)
        return log().error({{"job", key.job}}, "cannot take up its steps: {}", job.error().message);
    for (const auto& [step, running] : (**job).running())
        tasks_.spawn("await jrun", await_return(key, step));
}

asio::awaitable<void> StepServer::await_return(node::JobKey key, std::uint32_t step)
{
    for (auto left = std::chrono::milliseconds(return_limit);; left -= 100ms) {
        const auto* running = find_running(key, step);
        if (!running || running->ticket != 0)
            co_return;
        const auto process = read_process(running->started.pid());
        const bool gone = !process || process->start_time != running->started.start_time() || process->state == 'Z';
        if (!gone && left > 0ms) {
            co_await daemon::sleep_for(100ms);
            continue;
        }
        wire::StepOver over;
        over.set_signal(SIGKILL);
        over.set_cause(gone ? "jrun was killed" : "jrun did not come back after a restart of the node daemon");
        log().info({{"job", key.job}}, "step {} is ended: {}", step, over.cause());
        co_await finish(key, step, std::move(over), true);
        co_return;
    }
}

void StepServer::job_over(const node::JobKey& key)
{
    peers_.forget(key);
    unreached_.erase(key);
    const auto job = jobs_.find(key);
    if (job == jobs_.end())
        return;
    wire::StepOver over;
    over.set_signal(SIGKILL);
    over.set_cause("the job ended");
    while (!job->second.running().empty())
        job->second.end(job->second.running().begin()->first, over);
    for (const auto& [ticket, connection] : connections_)
        if (connection->key == key && !std::exchange(connection->over, true))
            connection->channel->close();
    if (around_.session() != 0)
        send_ends(job->second);
}

bool StepServer::forget(const node::JobKey& key)
{
    const auto job = jobs_.find(key);
    if (job == jobs_.end())
        return true;
    if (job->second.has_unacknowledged()) {
        leaving_[key] = keep_seconds;
        return false;
    }
    jobs_.erase(job);
    return true;
}

void StepServer::let_go(std::map<node::JobKey, int>::iterator job)
{
    jobs_.erase(job->first);
    around_.remove_folder(job->first);
    leaving_.erase(job);
}

// ---- The controller

void StepServer::send_ends(StepJob& job)
{
    while (job.has_unsent()) {
        if (auto ends = job.unsent(); ends.steps_size() > 0)
            around_.send(std::move(ends));
        quiet_seconds_ = 0;
    }
}

// A message may be lost with its connection, so all is sent anew in another session, and after a while.
asio::awaitable<void> StepServer::report()
{
    while (co_await daemon::sleep_for(1s)) {
        for (auto job = leaving_.begin(); job != leaving_.end();)
            if (const auto next = std::next(job); --job->second <= 0)
                let_go(std::exchange(job, next));
            else
                job = next;
        for (auto one = unreached_.begin(); one != unreached_.end();)
            one = --one->second.second <= 0 ? unreached_.erase(one) : std::next(one);
        const auto session = around_.session();
        if (session == 0)
            continue;
        const bool again = std::exchange(session_, session) != session || ++quiet_seconds_ >= send_again_seconds;
        for (auto& [key, job] : jobs_) {
            if (again && job.has_unacknowledged())
                job.send_again();
            send_ends(job);
        }
        if (again)
            quiet_seconds_ = 0;
    }
}

void StepServer::acknowledged(const wire::AckSteps& ack)
{
    const auto id = wire::job_id_of(ack);
    const auto job = id ? jobs_.find({*id, Incarnation{ack.incarnation()}}) : jobs_.end();
    if (job == jobs_.end())
        return;
    job->second.acknowledge(ack.through());
    const auto leaving = leaving_.find(job->first);
    if (leaving != leaving_.end() && !job->second.has_unacknowledged())
        let_go(leaving);
}

void StepServer::stop()
{
    stopping_ = true; // that connections end now says nothing of those who have them
    if (listener_)
        listener_->close();
    tasks_.cancel();
}

} // namespace jarvis::noded
