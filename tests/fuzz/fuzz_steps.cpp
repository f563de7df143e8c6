// Bytes as what comes to a node daemon about steps: from jrun and its agents, on the socket for them, from the daemons of other nodes, and
// as their answers. Each piece of the input is somebody who connects, a message (made of the input or the bytes themselves), an end, or
// something that happens to the job or the daemon. No core is given to two steps, and every step that began is told of once.
#include "draw.hpp"
#include "made_up_channel.hpp"
#include "no_signals.hpp"
#include "require.hpp"
#include "step_server.hpp"
#include "temporary_folder.hpp"

#include "base/hostlist.hpp"
#include "daemon/log.hpp"
#include "wire/clocks.hpp"
#include "wire/convert.hpp"
#include "wire/convert_step.hpp"
#include "wire/hello.hpp"
#include "wire/job_id.hpp"
#include "wire/limits.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <unistd.h>

using namespace jarvis;
namespace asio = boost::asio;

namespace {

constexpr std::uint32_t cores = 8;
constexpr JobId served{7};                           // its script runs here, on n1
const node::JobKey member{JobId{8}, Incarnation{1}}; // its script runs on n2

Topology topology()
{
    Topology topology;
    for (std::uint32_t core = 0; core < cores; ++core)
        topology.cores.push_back({.pus = {core, core + cores}});
    topology.numa_nodes = {{.os_index = 0, .memory = {}, .cores = CoreSet::range(0, 4)}, {.os_index = 2, .memory = {}, .cores = CoreSet::range(4, 4)}};
    return topology;
}

// Without cgroups.
wire::LaunchOrder order()
{
    wire::LaunchOrder order;
    for (std::uint32_t core = 0; core < cores; ++core)
        order.add_cores(core);
    for (std::uint32_t pu = 0; pu < 2 * cores; ++pu)
        order.add_pus(pu);
    order.add_numa_nodes(0);
    order.add_numa_nodes(2);
    order.set_node_list("n[1-3]");
    order.mutable_account()->set_uid(::geteuid());
    return order;
}

using ChannelPtr = std::shared_ptr<fuzz::MadeUpChannel>;

// A step as whoever asked for it sees it.
struct Granted {
    ChannelPtr channel;
    std::map<std::string, CoreSet> cores; // by node; of one that overlaps none
};

class World {
    static constexpr std::size_t slots = 6, dials = 4;

    asio::io_context io_;
    std::string folder_;
    const Topology topology_ = topology();
    node::JobKey served_{served, Incarnation{2}};
    bool lives_ = true;     // it has not ended
    bool reachable_ = true; // other nodes
    ChannelPtr connections_[slots];
    wire::StepRequest wishes_[slots]; // the first that each has sent
    ChannelPtr dialled_[dials];
    wire::PeerRequest::WhatCase asked_[dials] = {}; // of the node there
    std::size_t dial_count_ = 0;
    std::uint64_t agent_token_ = 0;
    std::map<std::uint32_t, Granted> granted_;
    std::map<std::uint64_t, std::string> ends_; // that were sent, by their numbers
    std::unique_ptr<noded::StepServer> server_;

    void poll()
    {
        io_.restart();
        io_.poll();
    }
    // As the daemon does everything: on its loop.
    template <class Work>
    void on_loop(Work work)
    {
        asio::post(io_, std::move(work));
        poll();
    }

    noded::StepSurroundings surroundings()
    {
        return {.node_name = "n1",
                .running = [this](JobId job) { return job == served && lives_ ? std::optional(served_) : std::nullopt; },
                .topology = [this]() -> const Topology& { return topology_; },
                .order = [this](const node::JobKey& key) -> Result<std::optional<wire::LaunchOrder>> {
                    return key == served_ || key == member ? std::optional(order()) : std::nullopt;
                },
                .folder = [this](const node::JobKey&) { return folder_; },
                .shepherd = [](const node::JobKey&) { return ::getpid(); },
                .session = [] { return 1; },
                .send = [this](wire::StepsEnded&& ends) { take_ends(ends); },
                .remove_folder = [this](const node::JobKey&) { remove_folder(); },
                .member = [](JobId job) { return job == member.job ? std::optional(member) : std::nullopt; },
                .dial = [this](std::string node) -> asio::awaitable<Result<wire::ChannelPtr>> { co_return dial(node); }};
    }

    void start_server()
    {
        server_ = std::make_unique<noded::StepServer>(io_, surroundings());
        on_loop([this] { server_->take_up(served_); });
    }
    void stop_server()
    {
        on_loop([this] { server_->stop(); });
        server_.reset();
        for (auto& channel : connections_)
            channel.reset();
        for (auto& channel : dialled_)
            channel.reset();
        granted_.clear(); // those who come back are granted the same again
    }

    void remove_folder()
    {
        std::filesystem::remove(folder_ + "/steps");
        granted_.clear();
        ends_.clear();
        served_.incarnation.value += 1; // it is requeued, and comes here again
        lives_ = true;
    }

    Result<wire::ChannelPtr> dial(const std::string& node)
    {
        JARVIS_REQUIRE(node == "n2" || node == "n3");
        if (!reachable_)
            return fail(Errc::unavailable, "node {} is away", node);
        const auto place = dial_count_++ % dials;
        auto channel = std::make_shared<fuzz::MadeUpChannel>(io_.get_executor(), std::nullopt, [this, place, first = true](std::string_view payload) mutable {
            if (!std::exchange(first, false))
                return; // passed on unread
            const auto message = wire::parse<wire::FromRun>(payload);
            JARVIS_REQUIRE(message && message->body_case() == wire::FromRun::kPeer);
            const auto request = wire::parse<wire::PeerRequest>(message->peer());
            JARVIS_REQUIRE(request && wire::job_id_of(*request) == served && request->hello().node_name() == "n1");
            JARVIS_REQUIRE(request->what_case() != wire::PeerRequest::WHAT_NOT_SET);
            JARVIS_REQUIRE(!request->has_tasks() || request->tasks().tasks_size() > 0);
            asked_[place] = request->what_case();
        });
        if (dialled_[place])
            dialled_[place]->hang_up();
        dialled_[place] = channel;
        return channel;
    }

    void take_ends(const wire::StepsEnded& ends)
    {
        JARVIS_REQUIRE(wire::job_id_of(ends) == served && ends.incarnation() == served_.incarnation.value);
        for (const auto& one : ends.steps()) {
            JARVIS_REQUIRE(wire::from_message(one.end())); // a controller can read it
            const auto bytes = one.SerializeAsString();
            const auto [found, first] = ends_.emplace(one.number(), bytes);
            JARVIS_REQUIRE(first || found->second == bytes);
        }
    }

    void take(std::size_t slot, std::string_view payload)
    {
        const auto message = wire::parse<wire::ToRun>(payload);
        if (!message)
            return; // to an agent, or from one
        if (message->has_fork())
            agent_token_ = message->fork().token();
        if (!message->has_grant() || !wishes_[slot].has_hello())
            return; // who has asked for no step is told something else, in the same bytes
        const auto& grant = message->grant();
        const auto nodes = expand_hostlist(grant.node_list());
        JARVIS_REQUIRE(nodes && static_cast<int>(nodes->size()) == grant.tasks_per_node_size());
        JARVIS_REQUIRE(grant.tasks_size() > 0);
        Granted granted{.channel = connections_[slot], .cores = {}};
        // By its token it may be the step of an earlier request, whose kind is in the token, too.
        const auto kind = wishes_[slot].token() % 4;
        const bool overlap = kind == wire::StepRequest::OVERLAP || kind != static_cast<std::uint64_t>(wishes_[slot].sharing());
        for (const auto& task : grant.tasks()) {
            JARVIS_REQUIRE(task.node() < nodes->size());
            CoreSet of_task;
            for (const auto core : task.cores())
                of_task.insert(core);
            auto& all = granted.cores[(*nodes)[task.node()]];
            JARVIS_REQUIRE(overlap || !all.intersects(of_task));
            JARVIS_REQUIRE(task.node() != grant.here() || (of_task - CoreSet::range(0, cores)).empty());
            if (!overlap)
                all |= of_task;
        }
        granted_[grant.step()] = std::move(granted);
    }

    // Of all who still have one.
    void check_grants()
    {
        std::erase_if(granted_, [](const auto& one) { return !one.second.channel || !one.second.channel->is_open() || one.second.channel->hung_up(); });
        std::map<std::string, CoreSet> all;
        for (const auto& [step, granted] : granted_)
            for (const auto& [node, of_step] : granted.cores) {
                JARVIS_REQUIRE(!all[node].intersects(of_step));
                all[node] |= of_step;
            }
    }

    // ---- What is said

    static wire::Hello hello(fuzz::Draw& draw, wire::Hello::Role role)
    {
        auto hello = wire::make_hello(role, "jrun", wall_now());
        if (draw.rarely(16))
            hello.set_protocol_major(draw.byte());
        return hello;
    }
    template <class Message>
    static void put_job(fuzz::Draw& draw, Message& message, JobId usual)
    {
        wire::put_job_id(draw.rarely(8) ? JobId{draw.below(10)} : usual, message);
        if (draw.rarely(32))
            message.set_task(draw.byte());
    }

    static wire::StepRequest request(fuzz::Draw& draw)
    {
        wire::StepRequest request;
        *request.mutable_hello() = hello(draw, wire::Hello::CLIENT);
        put_job(draw, request, served);
        request.set_name("prog");
        request.set_tasks(draw.pick<std::uint32_t>({1, 1, 2, 2, 4, 6, 8, 9}));
        request.set_cores_per_task(draw.pick<std::uint32_t>({1, 1, 1, 2, 2, 3}));
        if (draw.rarely(8)) {
            request.set_name(draw.pick<std::string>({"", "a\nb", "\xff", std::string(300, 'x')}));
            request.set_tasks(draw.pick<std::uint32_t>({0, 24, 100, 8192, 8193, ~0u}));
            request.set_cores_per_task(draw.pick<std::uint32_t>({0, 8, ~0u}));
        }
        if (draw.rarely(4)) {
            request.set_nodes_min(draw.pick<std::uint32_t>({0, 1, 2, 3, ~0u}));
            request.set_nodes_max(draw.flag() ? request.nodes_min() : draw.below(4));
            request.set_tasks_per_node(draw.below(4));
        }
        for (auto names = draw.below(8); names > 5; --names)
            request.add_nodes(draw.pick<std::string>({"n1", "n2", "n3", "n4", ""}));
        if (draw.rarely(4)) {
            request.set_over_nodes(draw.below(5));
            request.set_inside(draw.below(5));
            request.set_plane(draw.pick<std::uint32_t>({0, 1, 3, ~0u}));
        }
        request.set_sharing(static_cast<wire::StepRequest::Sharing>(draw.below(4)));
        request.set_token(draw.below(3) * 4 + static_cast<std::uint64_t>(request.sharing()));
        request.set_cpu_binding(static_cast<wire::StepRequest::CpuBinding>(draw.below(4)));
        request.set_memory_binding(static_cast<wire::StepRequest::MemoryBinding>(draw.below(4)));
        return request;
    }

    static void put_usage(fuzz::Draw& draw, wire::Usage& usage)
    {
        constexpr auto most = wire::limits::duration_us;
        usage.set_cpu_user_us(draw.rarely(8) ? draw.pick<std::int64_t>({-1, most + 1, std::numeric_limits<std::int64_t>::max()})
                                             : draw.pick<std::int64_t>({0, 1000, most}));
        if (draw.flag())
            usage.set_memory_peak(draw.pick<std::int64_t>({0, 4096, -1, std::numeric_limits<std::int64_t>::max()}));
    }

    std::string first_or_later(fuzz::Draw& draw)
    {
        wire::FromRun message;
        switch (draw.below(8)) {
        case 0:
        case 1: *message.mutable_request() = request(draw); break;
        case 2:
            message.mutable_over()->set_exit_code(draw.pick<std::int32_t>({0, 1, 256, -1}));
            message.mutable_over()->set_signal(draw.pick<std::int32_t>({0, 9, 1000, -1}));
            message.mutable_over()->set_cause(draw.pick<std::string>({"", "it failed", "\xff\x1b[1m", std::string(5000, 'x')}));
            if (draw.flag())
                put_usage(draw, *message.mutable_over()->mutable_usage());
            break;
        case 3:
            for (auto count = draw.below(4); count > 0; --count) {
                auto& process = *message.mutable_processes()->add_processes();
                process.set_pid(draw.pick<std::int32_t>({1, 0, -1, 4711, std::numeric_limits<std::int32_t>::max()}));
                process.set_start_time(draw.byte());
            }
            (void)message.mutable_processes();
            break;
        case 4: {
            auto& stream = *message.mutable_stream();
            *stream.mutable_hello() = hello(draw, wire::Hello::CLIENT);
            put_job(draw, stream, served);
            stream.set_token(draw.below(12));
            stream.set_node(draw.below(4));
            break;
        }
        case 5: {
            auto& agent = *message.mutable_agent();
            *agent.mutable_hello() = hello(draw, wire::Hello::CLIENT);
            put_job(draw, agent, member.job);
            agent.set_token(draw.pick<std::uint64_t>({0, agent_token_, agent_token_ + 1}));
            break;
        }
        case 6: message.set_peer(peer_request(draw).SerializeAsString()); break;
        default: message.set_peer(std::string(draw.text())); break;
        }
        return message.SerializeAsString();
    }

    static wire::PeerRequest peer_request(fuzz::Draw& draw)
    {
        wire::PeerRequest request;
        *request.mutable_hello() = hello(draw, wire::Hello::NODE);
        request.mutable_hello()->set_node_name(draw.pick<std::string>({"n2", "n3", "n1", "n9", ""}));
        put_job(draw, request, member.job);
        request.set_incarnation(draw.rarely(8) ? draw.byte() : member.incarnation.value);
        const auto step = draw.below(3);
        switch (draw.below(4)) {
        case 0: (void)request.mutable_offer(); break;
        case 1: request.mutable_end()->set_step(step); break;
        case 2: {
            auto& tasks = *request.mutable_tasks();
            tasks.set_step(step);
            tasks.set_cpu_binding(static_cast<wire::StepRequest::CpuBinding>(draw.below(4)));
            tasks.set_memory_binding(static_cast<wire::StepRequest::MemoryBinding>(draw.below(4)));
            for (auto count = draw.below(5); count > 0; --count) {
                auto& task = *tasks.add_tasks();
                task.set_rank(draw.below(4));
                task.set_local(draw.below(4));
                task.add_cores(draw.pick<std::uint32_t>({0, 1, 7, 8, ~0u}));
            }
            break;
        }
        default: break;
        }
        return request;
    }

    static std::string answer(fuzz::Draw& draw)
    {
        wire::PeerAnswer answer;
        switch (draw.below(4)) {
        case 0:
            for (auto parts = draw.below(4); parts > 0; --parts) {
                auto& part = *answer.mutable_offer()->add_numa();
                for (auto count = draw.below(6); count > 0; --count)
                    part.add_cores(draw.rarely(8) ? ~0u : draw.below(8));
            }
            (void)answer.mutable_offer();
            break;
        case 1: put_usage(draw, *answer.mutable_ended()->mutable_usage()); break;
        case 2:
            *answer.mutable_refused() = wire::to_message(Error{static_cast<Errc>(draw.below(12)), std::string(draw.text())});
            break;
        default: return std::string(draw.text());
        }
        return answer.SerializeAsString();
    }

    // As it was asked.
    std::string fitting_answer(fuzz::Draw& draw, std::size_t place) const
    {
        wire::PeerAnswer answer;
        if (asked_[place] == wire::PeerRequest::kOffer) {
            for (const std::uint32_t first : {0, 4})
                for (auto& part = *answer.mutable_offer()->add_numa(); part.cores_size() < 4;)
                    part.add_cores(first + static_cast<std::uint32_t>(part.cores_size()));
        } else if (asked_[place] == wire::PeerRequest::kEnd) {
            put_usage(draw, *answer.mutable_ended()->mutable_usage());
        } else {
            wire::FromAgent output;
            output.mutable_output()->set_data(std::string(draw.text()));
            return output.SerializeAsString();
        }
        return answer.SerializeAsString();
    }

    // ---- What happens

    void connect(fuzz::Draw& draw, std::size_t slot)
    {
        const auto uid = draw.rarely(8) ? ::geteuid() + 1 : ::geteuid();
        std::optional<wire::PeerCredentials> peer = wire::PeerCredentials{.uid = uid, .gid = 0, .pid = draw.rarely(8) ? 1 : ::getpid()};
        if (draw.rarely(4))
            peer.reset(); // over TLS
        if (connections_[slot])
            connections_[slot]->hang_up();
        wishes_[slot].Clear();
        connections_[slot] = std::make_shared<fuzz::MadeUpChannel>(io_.get_executor(), peer, [this, slot](std::string_view payload) { take(slot, payload); });
        on_loop([this, slot] { server_->take_peer(connections_[slot]); });
    }
    void say(std::size_t slot, std::string frame)
    {
        if (!connections_[slot])
            return;
        if (const auto message = wire::parse<wire::FromRun>(frame); message && message->has_request() && !wishes_[slot].has_hello())
            wishes_[slot] = message->request();
        connections_[slot]->put(std::move(frame));
    }

public:
    explicit World(const std::string& folder) : folder_(folder)
    {
        std::filesystem::remove(folder_ + "/steps");
        start_server();
    }

    void end_job()
    {
        on_loop([this] {
            lives_ = false;
            server_->job_over(served_);
        });
    }

    void happen(fuzz::Draw& draw)
    {
        const auto what = draw.below(32);
        const auto slot = draw.below(slots);
        if (what < 4) {
            connect(draw, slot);
        } else if (what < 9) {
            connect(draw, slot);
            wire::FromRun message;
            *message.mutable_request() = request(draw);
            say(slot, message.SerializeAsString());
        } else if (what < 16) {
            say(slot, first_or_later(draw));
        } else if (what < 18) {
            say(slot, std::string(draw.text()));
        } else if (what < 22) {
            for (std::size_t place = 0; place < dials; ++place)
                if (dialled_[place])
                    dialled_[place]->put(fitting_answer(draw, place));
        } else if (what < 24) {
            if (const auto& channel = dialled_[slot % dials])
                channel->put(answer(draw));
        } else if (what < 26) {
            if (const auto& channel = dialled_[slot % dials])
                channel->hang_up();
        } else if (what < 28) {
            if (connections_[slot])
                connections_[slot]->hang_up();
        } else if (what == 28) {
            reachable_ = !reachable_;
        } else if (what == 29) {
            wire::AckSteps ack;
            wire::put_job_id(served, ack);
            ack.set_incarnation(served_.incarnation.value);
            ack.set_through(draw.rarely(8) ? ~std::uint64_t{0} : draw.byte());
            on_loop([&] { server_->acknowledged(ack); });
        } else if (what == 30) {
            stop_server();
            start_server();
        } else {
            if (draw.flag())
                on_loop([this] { server_->job_over(member); });
            else
                end_job();
            if (!lives_ && draw.flag())
                on_loop([this] {
                    if (server_->forget(served_))
                        remove_folder();
                });
        }
        poll();
        check_grants();
    }

    // The job ends, and the controller learns of every step.
    void end()
    {
        for (auto& channel : connections_)
            if (channel)
                channel->hang_up();
        poll();
        end_job();
        stop_server();
        if (noded::StepLog::exists(folder_)) {
            auto again = noded::StepJob::open(served_, order(), topology_, "n1", folder_);
            JARVIS_REQUIRE_OK(again);
            JARVIS_REQUIRE(again->running().empty());
        }
    }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::TemporaryFolder folder;
    static const bool prepared = [] {
        fuzz::forbid_signals();
        JARVIS_REQUIRE(daemon::open_log({.program = "fuzz", .file = "/dev/null", .level = daemon::LogLevel::error}));
        return true;
    }();
    (void)prepared;
    World world(folder.path());
    for (fuzz::Draw draw(data, size); !draw.done();)
        world.happen(draw);
    world.end();
    return 0;
}
