#include "client/session.hpp"

#include "base/escape.hpp"
#include "client/find_socket.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/job_id.hpp"

#include <algorithm>
#include <iterator>

namespace jarvis::client {

namespace {

constexpr std::chrono::seconds connect_limit{10};

// The controller repeats in its messages what it was asked for. What it tells administrators may have several lines, each
// of them to be made safe on its own.
Error told(const wire::Error& message, bool lines)
{
    auto error = wire::from_message(message);
    std::string_view rest = error.message;
    std::string safe;
    for (auto end = rest.find('\n'); lines && end != std::string_view::npos; end = rest.find('\n')) {
        safe += escape_for_terminal(rest.substr(0, end)) + '\n';
        rest.remove_prefix(end + 1);
    }
    error.message = safe + escape_for_terminal(rest);
    return error;
}

wire::Deadline deadline_for(std::chrono::milliseconds limit)
{
    return limit == std::chrono::milliseconds::max() ? wire::no_deadline : wire::deadline_in(limit);
}

} // namespace

Result<Session> Session::open(std::string_view program)
{
    const auto path = find_socket();
    if (!path)
        return fail(Errc::unavailable, "cannot find the controller: {}", path.error().message);
    auto connection = wire::BlockingConnection::connect(*path, connect_limit);
    if (!connection)
        return fail(connection.error(), "no answer from the controller");
    const auto hello = connection->exchange_hello(wire::make_hello(wire::Hello::CLIENT, program, wall_now()), {},
                                                  wire::deadline_in(connect_limit));
    if (!hello)
        return std::unexpected(hello.error());
    return Session(std::move(*connection));
}

Result<wire::Reply> Session::ask(wire::Request request, std::chrono::milliseconds limit)
{
    request.set_tag(next_tag_++);
    const auto deadline = deadline_for(limit);
    if (auto sent = connection_.send(request, deadline); !sent)
        return std::unexpected(sent.error());
    while (true) {
        auto reply = connection_.receive<wire::Reply>(deadline);
        if (!reply)
            return reply;
        if (reply->tag() != request.tag() && reply->tag() != 0)
            continue; // of a request that nobody waits for any more
        if (reply->has_error())
            return std::unexpected(told(reply->error(), request.has_admin()));
        return reply;
    }
}

Result<void> Session::ask(wire::Request request, const std::function<void(wire::Reply&&)>& take)
{
    auto reply = ask(request);
    while (true) {
        if (!reply)
            return std::unexpected(reply.error());
        if (reply->has_error())
            return std::unexpected(told(reply->error(), request.has_admin()));
        const bool more = reply->more();
        take(std::move(*reply));
        if (!more)
            return {};
        // Into the same message, which has room for as much as the part before.
        if (auto received = connection_.receive(*reply, wire::deadline_in(answer_limit)); !received)
            return received;
    }
}

Result<wire::Reply> ask_once(std::string_view program, wire::Request request)
{
    auto session = Session::open(program);
    if (!session)
        return std::unexpected(session.error());
    return session->ask(std::move(request));
}

namespace {

// `take_list` sees to the jobs of a part; the rest is put together here.
template <class TakeList>
Result<Jobs> ask_parts(Session& session, wire::Request request, TakeList take_list)
{
    Jobs jobs;
    auto done = session.ask(std::move(request), [&](wire::Reply&& reply) {
        jobs.sequence = reply.sequence();
        auto* list = reply.mutable_jobs();
        take_list(*list, jobs);
        jobs.unknown_ids.insert(jobs.unknown_ids.end(), list->unknown_ids().begin(), list->unknown_ids().end());
        jobs.unknown_selections.insert(jobs.unknown_selections.end(), list->unknown_selections().begin(),
                                       list->unknown_selections().end());
        for (auto& part : *list->mutable_steps()) {
            auto& steps = jobs.steps[{wire::job_id_in(part), part.incarnation()}];
            std::ranges::move(*part.mutable_steps(), std::back_inserter(steps));
        }
        if (!list->history_missing().empty())
            jobs.history_missing = escape_for_terminal(list->history_missing());
    });
    if (!done)
        return std::unexpected(done.error());
    return jobs;
}

} // namespace

Result<Jobs> ask_jobs(Session& session, wire::Request request)
{
    return ask_parts(session, std::move(request), [](wire::JobList& list, Jobs& jobs) {
        std::ranges::move(*list.mutable_summaries(), std::back_inserter(jobs.summaries));
        std::ranges::move(*list.mutable_details(), std::back_inserter(jobs.details));
    });
}

Result<Jobs> ask_jobs(std::string_view program, wire::Request request, const std::function<void(const wire::JobList&)>& take)
{
    auto session = Session::open(program);
    if (!session)
        return std::unexpected(session.error());
    return ask_parts(*session, std::move(request), [&](const wire::JobList& list, Jobs&) { take(list); });
}

Result<Jobs> ask_jobs(std::string_view program, wire::Request request)
{
    auto session = Session::open(program);
    if (!session)
        return std::unexpected(session.error());
    return ask_jobs(*session, std::move(request));
}

} // namespace jarvis::client
