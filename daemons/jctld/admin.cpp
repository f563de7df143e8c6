#include "admin.hpp"

#include "base/version.hpp"
#include "cluster/authorize.hpp"
#include "config/settings.hpp"
#include "daemon/deadline.hpp"
#include "daemon/log.hpp"
#include "daemon/off_loop.hpp"
#include "journal/older_version.hpp"
#include "wire/convert.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace jarvis::jctld {

namespace {

namespace json = boost::json;

std::string format_uuid(const cluster::Uuid& uuid)
{
    std::string text;
    for (std::size_t i = 0; i < uuid.size(); ++i)
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    return text;
}

std::string_view name(plugin::StorageCondition condition)
{
    switch (condition) {
    case plugin::StorageCondition::ok: return "ok";
    case plugin::StorageCondition::reserve: return "reserve";
    case plugin::StorageCondition::failed: return "failed";
    }
    return "unknown";
}

asio::awaitable<Result<wire::AdminReply>> ping(Front& front)
{
    struct Counts {
        SequenceNumber sequence;
        std::uint64_t active = 0, known = 0;
    };
    auto collect = [](const Replica& replica) {
        return Counts{replica.state().sequence, replica.state().index.active_jobs, replica.state().jobs.size()};
    };
    auto counts = co_await front.ask(std::move(collect));
    if (!counts)
        co_return std::unexpected(counts.error());
    const auto status = front.parts().store.status();
    const json::object object{{"schema", "jarvis.ping/1"},
                              {"cluster", front.config().cluster.name},
                              {"uuid", format_uuid(front.uuid())},
                              {"version", version},
                              {"epoch", front.epoch().value},
                              {"sequence", counts->sequence.value},
                              {"history_sequence", front.parts().history.applied().value},
                              {"active_jobs", counts->active},
                              {"known_jobs", counts->known},
                              {"storage", name(status.condition)},
                              {"storage_text", status.text}};
    wire::AdminReply reply;
    reply.set_json(json::serialize(object));
    reply.set_text(fmt::format("jctld {} of cluster {} ({}): group {}, {} pending or running jobs, {} known; storage {}{}", version,
                               front.config().cluster.name, format_uuid(front.uuid()), counts->sequence, counts->active,
                               counts->known, name(status.condition), status.text.empty() ? "" : ": " + status.text));
    co_return reply;
}

asio::awaitable<Result<config::Config>> read_configuration(Front& front)
{
    const auto file = front.config().file;
    auto loaded = co_await daemon::off_loop(front.parts().pool, [&] { return config::load_config(file); });
    if (!loaded)
        co_return fail(Errc::invalid, "{}\nthe running configuration is unchanged", loaded.error().text());
    co_return std::move(*loaded);
}

std::string list_of(const std::vector<config::Change>& changes)
{
    std::string text;
    for (const auto& change : changes)
        text += (text.empty() ? "" : "\n") + config::to_string(change);
    return text;
}

// What a reload put in force, and what still needs more than that.
std::string describe_reload(const std::vector<config::Change>& changes)
{
    std::vector<config::Change> done, waiting;
    for (const auto& change : changes)
        (change.needs == config::Needs::reload ? done : waiting).push_back(change);
    if (changes.empty())
        return "nothing changed";
    std::string text;
    for (const auto& change : done)
        text += fmt::format("{}{}: {} -> {}", text.empty() ? "in force now:\n" : "\n", change.key,
                            change.old_value.empty() ? "(nothing)" : change.old_value,
                            change.new_value.empty() ? "(nothing)" : change.new_value);
    if (!waiting.empty())
        text += (text.empty() ? "" : "\n") + std::string("not in force yet:\n") + list_of(waiting);
    return text;
}

asio::awaitable<Result<wire::AdminReply>> diff(Front& front)
{
    auto fresh = co_await read_configuration(front);
    if (!fresh)
        co_return std::unexpected(fresh.error());
    const auto changes = config::config_diff(front.config(), *fresh);
    json::array list;
    for (const auto& change : changes)
        list.push_back(json::object{{"key", change.key}, {"old", change.old_value}, {"new", change.new_value}, {"needs", config::text(change.needs)}});
    wire::AdminReply reply;
    reply.set_text(changes.empty() ? "no differences" : list_of(changes));
    reply.set_json(json::serialize(json::object{{"schema", "jarvis.config_diff/1"}, {"changes", std::move(list)}}));
    co_return reply;
}

// Whether an older version could go on from the state; what is lost on the way, for people.
Result<std::string> check_for(const std::string& older, const cluster::StoredState& state)
{
    auto fitness = journal::fitness_for(state, older);
    if (!fitness)
        return std::unexpected(fitness.error());
    if (fitness->obstacle_count > 0) {
        const auto more = fitness->obstacle_count - fitness->obstacles.size();
        return fail(Errc::denied, "version {} cannot go on from this state, since it does not know:\n{}{}\ncancel these jobs, or let them "
                                  "end and be forgotten ([controller] keep_ended), and ask again",
                    older, fmt::join(fitness->obstacles, "\n"), more > 0 ? fmt::format("\nand {} more", more) : "");
    }
    return fmt::format("version {} can go on from it{}{}\nnow stop the controller (jadmin shutdown) before anything newer is asked for; "
                       "the older version also takes no configuration with newer keys",
                       older, fitness->losses.empty() ? "" : ", without: ", fmt::join(fitness->losses, ", "));
}

asio::awaitable<Result<wire::AdminReply>> snapshot(Front& front, std::string older)
{
    using Written = SnapshotFollower::Written;
    if (const auto known = journal::older_versions(); !older.empty() && std::ranges::find(known, older) == known.end())
        co_return fail(Errc::not_found, "no snapshot can be written for version \"{}\"; the older versions that this one knows are: {}", older,
                       fmt::join(known, ", "));
    auto slot = std::make_shared<OneShot<Result<Written>>>(front.executor());
    SnapshotFollower::Done done = [slot, executor = front.executor()](Result<Written> result) {
        asio::post(executor, [slot, result = std::move(result)]() mutable { slot->set(std::move(result)); });
    };
    SnapshotFollower::Check check;
    if (!older.empty())
        check = [older](const cluster::StoredState& state) { return check_for(older, state); };
    front.parts().snapshots.want(std::move(done), std::move(check));
    // The replica looks whether one is wanted when something happens, and may be busy with an earlier one: it is reminded.
    for (;;) {
        auto collect = [](const Replica& replica) { return replica.snapshot_if_due(); };
        if (auto nudged = co_await front.ask(std::move(collect)); !nudged)
            co_return std::unexpected(nudged.error());
        using namespace asio::experimental::awaitable_operators;
        auto first = co_await (slot->wait() || daemon::sleep_for(std::chrono::seconds(1)));
        if (first.index() == 1 && std::get<1>(first))
            continue;
        auto written = first.index() == 0 ? std::move(std::get<0>(first)) : std::nullopt;
        if (!written)
            co_return fail(Errc::unavailable, "the controller is stopping");
        if (!*written)
            co_return older.empty() ? fail(written->error(), "no snapshot was written") : std::unexpected(written->error());
        wire::AdminReply reply;
        const auto& note = (*written)->note;
        reply.set_text(fmt::format("snapshot {} written{}{}", (*written)->sequence, note.empty() ? "" : "; ", note));
        reply.set_json(json::serialize(json::object{{"schema", "jarvis.snapshot/1"}, {"sequence", (*written)->sequence.value}, {"note", note}}));
        co_return reply;
    }
}

asio::awaitable<Result<wire::AdminReply>> reconfigure(Front& front)
{
    auto text = co_await reload_configuration(front);
    if (!text)
        co_return std::unexpected(text.error());
    wire::AdminReply reply;
    reply.set_text(*text);
    reply.set_json(json::serialize(json::object{{"schema", "jarvis.reconfigure/1"}, {"text", *text}}));
    co_return reply;
}

asio::awaitable<Result<wire::AdminReply>> answer(Front& front, const cluster::Caller& caller, const wire::Admin& admin)
{
    const auto action = admin.action();
    if (action == wire::Admin::PING)
        co_return co_await ping(front);
    if (auto allowed = cluster::may_administrate(caller); !allowed)
        co_return std::unexpected(allowed.error());
    switch (action) {
    case wire::Admin::RECONFIGURE: co_return co_await reconfigure(front);
    case wire::Admin::CONFIG_DIFF: co_return co_await diff(front);
    case wire::Admin::SNAPSHOT: co_return co_await snapshot(front, admin.for_version());
    case wire::Admin::SHUTDOWN: {
        daemon::log().info("shutdown, asked by {}", caller.user);
        front.parts().shutdown();
        wire::AdminReply reply;
        reply.set_text("the controller is stopping; running jobs go on");
        reply.set_json(json::serialize(json::object{{"schema", "jarvis.shutdown/1"}}));
        co_return reply;
    }
    default: co_return fail(Errc::invalid, "the controller does not know this request; it may be older than the command");
    }
}

} // namespace

asio::awaitable<Result<std::string>> reload_configuration(Front& front)
{
    if (front.reloading)
        co_return fail(Errc::unavailable, "the configuration is being read already; try again");
    front.reloading = true;
    struct Done {
        Front& front;
        ~Done() { front.reloading = false; }
    } done{front};
    auto fresh = co_await read_configuration(front);
    if (!fresh)
        co_return std::unexpected(fresh.error());
    const auto changes = config::config_diff(front.config(), *fresh);
    auto merged = reloaded(front.config(), std::move(*fresh));
    if (!merged)
        co_return std::unexpected(merged.error());
    // The looking up of groups may block.
    auto roles = co_await daemon::off_loop(front.parts().pool, [&] { return Roles::from(merged->security); });
    if (!roles)
        co_return fail(roles.error(), "{}: the running configuration is unchanged", front.config().file);
    auto settings = core_settings(*merged, front.parts().policy.queue_order());
    cluster::Command command = cluster::Configure{settings};
    auto answer = co_await front.decide(std::move(command));
    if (!answer.body)
        co_return std::unexpected(answer.body.error());
    front.reconfigure(std::make_shared<const config::Config>(std::move(*merged)), std::move(*roles), std::move(settings));
    co_return describe_reload(changes);
}

asio::awaitable<wire::Reply> answer_admin(Front& front, cluster::Caller caller, wire::Request request)
{
    auto body = co_await answer(front, caller, request.admin());
    wire::Reply reply;
    reply.set_tag(request.tag());
    if (body)
        *reply.mutable_admin() = std::move(*body);
    else
        *reply.mutable_error() = wire::to_message(body.error());
    co_return reply;
}

} // namespace jarvis::jctld
