#include "client_session.hpp"

#include "admin.hpp"
#include "client.pb.h"
#include "cluster/authorize.hpp"
#include "daemon/log.hpp"
#include "daemon/rate_limit.hpp"
#include "follow_events.hpp"
#include "history_query.hpp"
#include "node_questions.hpp"
#include "submit_path.hpp"
#include "wire/convert.hpp"
#include "wire/limits.hpp"

namespace jarvis::jctld {

namespace {

// Requests of one connection that are under way; when there are as many, no more are read until one is answered.
constexpr std::size_t requests_at_once = 256;
// Jobs that one command changes; a longer list becomes several commands.
constexpr std::size_t jobs_per_command = 1000;
// The same of nodes, each of which may have many jobs.
constexpr std::size_t nodes_per_command = 100;

class ClientSession {
    Front& front_;
    wire::ChannelPtr channel_;
    std::uint32_t uid_;
    daemon::TaskGroup tasks_;
    std::size_t under_way_ = 0;
    asio::steady_timer room_; // cancelled when a request ends
    daemon::RateLimit rate_;
    bool rate_was_logged_ = false;

public:
    ClientSession(Front& front, wire::ChannelPtr channel, std::uint32_t uid)
        : front_(front), channel_(std::move(channel)), uid_(uid), tasks_(front.executor(), "requests"),
          room_(front.executor(), asio::steady_timer::time_point::max())
    {
    }

    asio::awaitable<void> run() { co_await tasks_.around(read_requests()); }

private:
    asio::awaitable<void> read_requests()
    {
        for (;;) {
            while (under_way_ >= requests_at_once)
                (void)co_await room_.async_wait(asio::as_tuple(asio::use_awaitable));
            auto frame = co_await channel_->read_frame();
            if (!frame)
                daemon::log().info("{}: {}", channel_->description(), frame.error().message);
            if (!frame || !*frame)
                break;
            wire::Request request;
            if (!request.ParseFromString(**frame)) {
                daemon::log().warn("{}: a request that cannot be read; the connection is closed", channel_->description());
                break;
            }
            front_.parts().metrics.request(request.body_case()).add();
            const auto limit = front_.config().limits.requests_per_second;
            if (!rate_.take(std::chrono::steady_clock::now(), limit)) {
                refuse_hasty(request.tag(), limit);
                continue;
            }
            ++under_way_;
            tasks_.spawn("request", handle(std::move(request)));
        }
    }

    // Told to the peer each time, so that it knows which requests were not done, and to the log once.
    void refuse_hasty(std::uint64_t tag, std::uint64_t limit)
    {
        if (!std::exchange(rate_was_logged_, true))
            daemon::log().info("{}: more than {} requests a second (requests_per_second in [limits]); what is above that is refused",
                               channel_->description(), limit);
        reply_error(tag, {Errc::unavailable, fmt::format("too many requests; slow down, the limit of a connection is {} a second", limit)});
    }

    asio::awaitable<void> handle(wire::Request request)
    {
        struct MakeRoom {
            ClientSession& session;
            ~MakeRoom()
            {
                --session.under_way_;
                session.room_.cancel();
            }
        } make_room{*this};
        auto caller = co_await who();
        if (!caller) {
            reply_error(request.tag(), caller.error());
            co_return;
        }
        switch (request.body_case()) {
        case wire::Request::kSubmit: co_await submit(std::move(*caller), std::move(request)); break;
        case wire::Request::kChangeJobs: co_await change_jobs(*caller, request); break;
        case wire::Request::kChangeNodes: co_await change_nodes(*caller, request); break;
        case wire::Request::kQueryJobs: co_await query_jobs(*caller, request); break;
        case wire::Request::kQueryNodes: co_await query_nodes(request); break;
        case wire::Request::kQueryHistory: co_await query_history(*caller, request); break;
        case wire::Request::kWaitJob: co_await wait_job(*caller, request); break;
        case wire::Request::kAdmin: co_await admin(*caller, request); break;
        case wire::Request::kReadEvents: co_await read_events(std::move(*caller), std::move(request)); break;
        case wire::Request::kAskNodes: co_await ask_nodes(std::move(*caller), std::move(request)); break;
        case wire::Request::BODY_NOT_SET:
            reply_error(request.tag(), {Errc::invalid, "the controller does not know this request; it may be older than the command"});
            break;
        }
    }

    asio::awaitable<void> admin(const cluster::Caller& caller, const wire::Request& request)
    {
        const auto reply = co_await answer_admin(front_, caller, request);
        if (reply.has_error())
            reply_error(request.tag(), wire::from_message(reply.error()));
        else
            send(reply);
    }

    asio::awaitable<void> read_events(cluster::Caller caller, wire::Request request)
    {
        const auto tag = request.tag();
        const auto told = co_await follow_events(front_, channel_, std::move(caller), std::move(request));
        if (!told)
            reply_error(tag, told.error());
    }

    asio::awaitable<void> ask_nodes(cluster::Caller caller, wire::Request request)
    {
        const auto tag = request.tag();
        const auto told = co_await answer_question(front_, channel_, std::move(caller), std::move(request));
        if (!told)
            reply_error(tag, told.error());
    }

    // A user whom the name service does not know may look, but is nobody in particular.
    asio::awaitable<Result<cluster::Caller>> who()
    {
        auto account = co_await front_.parts().accounts.account(uid_);
        if (!account && account.error().code != Errc::not_found)
            co_return std::unexpected(account.error());
        if (!account)
            co_return cluster::Caller{uid_, fmt::format("uid {}", uid_), cluster::Role::user, channel_->description()};
        const auto role = front_.roles().of(*account);
        co_return cluster::Caller{uid_, account->user, role, channel_->description()};
    }

    void send(const wire::Reply& reply)
    {
        if (auto sent = channel_->send(reply); !sent) {
            daemon::log().info("{}: {}", channel_->description(), sent.error().message);
            channel_->close();
        }
    }

    void reply_error(std::uint64_t tag, const Error& error)
    {
        front_.parts().metrics.refused(error.code).add();
        wire::Reply reply;
        reply.set_tag(tag);
        *reply.mutable_error() = wire::to_message(error);
        send(reply);
    }

    asio::awaitable<void> submit(cluster::Caller caller, wire::Request request)
    {
        const auto tag = request.tag();
        auto result = co_await take_submit(front_, std::move(caller), std::move(*request.mutable_submit()));
        if (!result) {
            reply_error(tag, result.error());
            co_return;
        }
        result->set_tag(tag);
        send(*result);
    }

    // What a change is about: as it was named, or what the filter finds.
    asio::awaitable<Result<std::vector<JobSelection>>> selections_of(const wire::JobFilter& message)
    {
        auto filter = filter_from(message, uid_);
        if (!filter)
            co_return std::unexpected(filter.error());
        if (filter->empty())
            co_return fail(Errc::invalid, "no jobs were named; give ids, or a filter such as --user");
        if (!filter->jobs.empty() && !filter->narrows())
            co_return std::move(filter->jobs);
        auto collect = [filter = *filter](const Replica& replica) { return select_jobs(replica, filter); };
        co_return co_await front_.ask(std::move(collect));
    }

    asio::awaitable<void> change_jobs(const cluster::Caller& caller, const wire::Request& request)
    {
        const auto& change = request.change_jobs();
        if (!wire::ChangeJobs::Action_IsValid(change.action())) {
            reply_error(request.tag(), {Errc::invalid, "this controller does not know that action on jobs; it may be older than the command"});
            co_return;
        }
        auto jobs = co_await selections_of(change.filter());
        if (!jobs) {
            reply_error(request.tag(), jobs.error());
            co_return;
        }
        if (change.action() == wire::ChangeJobs::SIGNAL && (change.signal() < 1 || change.signal() > 64)) {
            reply_error(request.tag(), {Errc::invalid, fmt::format("there is no signal {}", change.signal())});
            co_return;
        }
        wire::Reply reply;
        reply.set_tag(request.tag());
        (void)reply.mutable_change();
        for (std::size_t first = 0; first < jobs->size(); first += jobs_per_command) {
            std::vector<JobSelection> part(jobs->begin() + static_cast<std::ptrdiff_t>(first),
                                           jobs->begin() + static_cast<std::ptrdiff_t>(std::min(jobs->size(), first + jobs_per_command)));
            auto answer = co_await front_.decide(job_command(caller, change, std::move(part)));
            if (!answer.body) {
                reply_error(request.tag(), answer.body.error());
                co_return;
            }
            put_items(std::get<std::vector<cluster::ItemResult>>(*answer.body), reply);
            reply.set_sequence(answer.sequence.value);
        }
        send(reply);
    }

    static cluster::Command job_command(const cluster::Caller& caller, const wire::ChangeJobs& change, std::vector<JobSelection> jobs)
    {
        switch (change.action()) {
        case wire::ChangeJobs::HOLD: return cluster::HoldJobs{0, caller, std::move(jobs)};
        case wire::ChangeJobs::RELEASE: return cluster::ReleaseJobs{0, caller, std::move(jobs)};
        case wire::ChangeJobs::SUSPEND: return cluster::SuspendJobs{0, caller, std::move(jobs)};
        case wire::ChangeJobs::RESUME: return cluster::ResumeJobs{0, caller, std::move(jobs)};
        case wire::ChangeJobs::REQUEUE: return cluster::RequeueJobs{0, caller, std::move(jobs)};
        case wire::ChangeJobs::SIGNAL:
            return cluster::SignalJobs{0, caller, std::move(jobs), change.signal(), change.batch_only()};
        default: return cluster::CancelJobs{0, caller, std::move(jobs)};
        }
    }

    static void put_items(const std::vector<cluster::ItemResult>& items, wire::Reply& reply)
    {
        for (const auto& item : items) {
            auto& out = *reply.mutable_change()->add_items();
            out.set_job_id(item.job.job);
            if (item.job.tasks)
                *out.mutable_tasks() = wire::to_message(*item.job.tasks);
            out.set_node(item.node);
            if (!item.result)
                *out.mutable_error() = wire::to_message(item.result.error());
        }
    }

    static Result<cluster::Command> node_command(const cluster::Caller& caller, const wire::ChangeNodes& change,
                                                 std::vector<std::string> names)
    {
        switch (change.action()) {
        case wire::ChangeNodes::DRAIN: return cluster::DrainNodes{0, caller, std::move(names), change.reason()};
        case wire::ChangeNodes::RESUME: return cluster::ResumeNodes{0, caller, std::move(names)};
        case wire::ChangeNodes::DOWN:
            return cluster::DownNodes{0, caller, std::move(names), change.reason(), change.confirmed()};
        default: return fail(Errc::invalid, "this controller does not know that action on nodes; it may be older than the command");
        }
    }

    asio::awaitable<void> change_nodes(const cluster::Caller& caller, const wire::Request& request)
    {
        const auto& change = request.change_nodes();
        const auto& names = change.nodes();
        const bool resume = change.action() == wire::ChangeNodes::RESUME;
        if (names.empty() || (!resume && change.reason().empty())) {
            reply_error(request.tag(), {Errc::invalid, names.empty() ? "no nodes were named" : "this needs a reason (--reason)"});
            co_return;
        }
        if (auto sound = wire::check_text(change.reason(), wire::limits::comment, "--reason"); !sound) {
            reply_error(request.tag(), sound.error());
            co_return;
        }
        wire::Reply reply;
        reply.set_tag(request.tag());
        for (auto from = names.begin(); from != names.end();) {
            const auto to = std::next(from, std::min<std::ptrdiff_t>(nodes_per_command, std::distance(from, names.end())));
            auto command = node_command(caller, change, std::vector<std::string>(std::exchange(from, to), to));
            if (!command) {
                reply_error(request.tag(), command.error());
                co_return;
            }
            auto answer = co_await front_.decide(std::move(*command));
            if (!answer.body) {
                reply_error(request.tag(), answer.body.error());
                co_return;
            }
            reply.set_sequence(answer.sequence.value);
            put_items(std::get<std::vector<cluster::ItemResult>>(*answer.body), reply);
        }
        send(reply);
    }

    asio::awaitable<void> stream(JobListRenderer renderer)
    {
        while (const auto* reply = renderer.next()) {
            auto sent = co_await channel_->send_when_room(reply->SerializeAsString());
            if (!sent)
                break;
        }
    }

    Result<void> check_partitions(const JobFilter& filter)
    {
        const auto& known = front_.settings()->partitions;
        for (const auto& name : filter.partitions)
            if (std::none_of(known.begin(), known.end(), [&](const auto& partition) { return partition.name == name; }))
                return fail(Errc::not_found, "no partition \"{}\"", name);
        return {};
    }

    asio::awaitable<void> query_jobs(const cluster::Caller& caller, const wire::Request& request)
    {
        auto filter = filter_from(request.query_jobs().filter(), uid_);
        if (auto known = filter ? check_partitions(*filter) : std::unexpected(filter.error()); !known) {
            reply_error(request.tag(), known.error());
            co_return;
        }
        const auto ended = request.query_jobs().include_ended() ? Ended::shown : Ended::left_out;
        auto collect = [filter = *filter, ended](const Replica& replica) { return find_jobs(replica, filter, ended); };
        auto found = co_await front_.ask(std::move(collect));
        if (!found) {
            reply_error(request.tag(), found.error());
            co_return;
        }
        co_await stream(JobListRenderer(std::move(*found), caller, request.query_jobs().detail(), request.tag()));
    }

    asio::awaitable<void> query_nodes(const wire::Request& request)
    {
        std::vector<std::string> names(request.query_nodes().names().begin(), request.query_nodes().names().end());
        auto collect = [names, holdings = request.query_nodes().holdings()](const Replica& replica) {
            return std::pair(replica.state().sequence, find_nodes(replica, names, holdings));
        };
        auto list = co_await front_.ask(std::move(collect));
        if (!list) {
            reply_error(request.tag(), list.error());
            co_return;
        }
        wire::Reply reply;
        reply.set_tag(request.tag());
        reply.set_sequence(list->first.value);
        *reply.mutable_nodes() = std::move(list->second);
        send(reply);
    }

    asio::awaitable<void> query_history(const cluster::Caller& caller, const wire::Request& request)
    {
        auto replies = co_await find_history(front_, caller, request);
        if (!replies) {
            reply_error(request.tag(), replies.error());
            co_return;
        }
        for (const auto& reply : *replies)
            if (auto sent = co_await channel_->send_when_room(reply.SerializeAsString()); !sent)
                break;
    }

    asio::awaitable<void> wait_job(const cluster::Caller& caller, const wire::Request& request)
    {
        const JobId id = wire::job_id_in(request.wait_job());
        if (!co_await front_.wait_for_end(id)) {
            reply_error(request.tag(), {Errc::unavailable, "the controller is busy or stopping; ask again"});
            co_return;
        }
        auto collect = [id](const Replica& replica) { return find_job(replica, id); };
        auto found = co_await front_.ask(std::move(collect));
        if (!found || found->jobs.empty()) {
            reply_error(request.tag(), found ? Error{Errc::not_found, fmt::format("no job {} (ended jobs are in jacct)", id)} : found.error());
            co_return;
        }
        JobListRenderer renderer(std::move(*found), caller, true, request.tag());
        wire::Reply reply;
        reply.set_tag(request.tag());
        reply.set_sequence(renderer.answer().sequence.value);
        *reply.mutable_ended() = renderer.detail_of(0);
        send(reply);
    }
};

} // namespace

namespace {

Result<std::uint32_t> uid_of(Front& front, const wire::Channel& channel, const std::optional<Vouched>& vouched)
{
    if (vouched && !vouched->allowed)
        return std::unexpected(vouched->allowed.error());
    if (vouched)
        return vouched->uid;
    auto identity = front.parts().auth.from_peer(channel.native_handle());
    if (!identity)
        return std::unexpected(identity.error());
    return identity->uid;
}

} // namespace

asio::awaitable<void> serve_client(Front& front, wire::ChannelPtr channel, std::optional<Vouched> vouched)
{
    const auto uid = uid_of(front, *channel, vouched);
    auto hello = front.hello();
    if (!uid) {
        daemon::log().warn("{}: {}", channel->description(), uid.error().message);
        *hello.mutable_refused() = wire::to_message(uid.error());
    }
    auto sent = channel->send(hello);
    if (uid && sent) {
        ClientSession session(front, channel, *uid);
        co_await session.run();
    }
    (void)co_await channel->flush();
}

} // namespace jarvis::jctld
