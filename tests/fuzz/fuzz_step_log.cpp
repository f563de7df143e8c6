// Bytes as the file in which a node daemon finds again what it knew of a job's steps. It is refused by name, or it is one that the job can
// go on with: what was found is found again, every end can be read by the controller, and what runs can be ended.
#include "require.hpp"
#include "step_job.hpp"
#include "temporary_folder.hpp"

#include "daemon/log.hpp"
#include "wire/convert_step.hpp"

#include <cstdint>
#include <fstream>

using namespace jarvis;

namespace {

constexpr std::uint32_t cores = 8;
const node::JobKey key{JobId{7}, Incarnation{2}};

Topology topology()
{
    Topology topology;
    for (std::uint32_t core = 0; core < cores; ++core)
        topology.cores.push_back({.pus = {core}});
    topology.numa_nodes = {{.os_index = 0, .memory = {}, .cores = CoreSet::range(0, cores)}};
    return topology;
}

wire::LaunchOrder order()
{
    wire::LaunchOrder order;
    for (std::uint32_t core = 0; core < cores; ++core)
        order.add_cores(core);
    order.set_node_list("n[1-2]");
    return order;
}

Result<noded::StepJob> open(const std::string& folder)
{
    static const auto whole_node = topology();
    return noded::StepJob::open(key, order(), whole_node, "n1", folder);
}

// Everything that is to be told, in the form in which it is.
std::string ends_of(noded::StepJob& job)
{
    std::string all;
    job.send_again();
    while (job.has_unsent()) {
        const auto ends = job.unsent();
        std::uint64_t next = 0;
        for (const auto& one : ends.steps()) {
            JARVIS_REQUIRE(wire::from_message(one.end()));
            JARVIS_REQUIRE(one.number() > 0 && (next == 0 || one.number() == next));
            next = one.number() + 1;
        }
        all += ends.SerializeAsString();
    }
    return all;
}

std::string running_of(noded::StepJob& job)
{
    std::string all;
    for (const auto& [step, running] : job.running())
        all += fmt::format("{}: {} {}\n", step, running.started.SerializeAsString(), running.processes.SerializeAsString());
    return all;
}

// One more step, if there is room for it, and then the end of all.
void go_on(noded::StepJob& job)
{
    wire::StepRequest request;
    request.set_tasks(1);
    request.set_cores_per_task(1);
    const auto wish = noded::wish_from(request);
    JARVIS_REQUIRE_OK(wish);
    auto answer = job.ask(1, *wish);
    JARVIS_REQUIRE_OK(answer);
    if (const auto* granted = std::get_if<node::GrantedStep>(&*answer))
        JARVIS_REQUIRE_OK(job.begin(*granted, request, 4711, 1));
    wire::StepOver over;
    over.set_cause("the job ended");
    while (!job.running().empty()) {
        const auto step = job.running().begin()->first;
        (void)noded::other_nodes(job.running().begin()->second.started.grant());
        job.end(step, over);
        (void)job.release(step);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const fuzz::TemporaryFolder folder;
    static const bool quiet = daemon::open_log({.program = "fuzz", .file = "/dev/null", .level = daemon::LogLevel::error}).has_value();
    JARVIS_REQUIRE(quiet);
    const auto path = folder.path() + "/steps";
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    auto job = open(folder.path());
    if (!job) {
        JARVIS_REQUIRE(job.error().message.starts_with(path));
        return 0;
    }
    const auto ends = ends_of(*job), running = running_of(*job);
    {
        auto again = open(folder.path());
        JARVIS_REQUIRE_OK(again);
        JARVIS_REQUIRE(ends_of(*again) == ends && running_of(*again) == running);
    }
    go_on(*job);
    const auto all = ends_of(*job);
    auto again = open(folder.path());
    JARVIS_REQUIRE_OK(again);
    JARVIS_REQUIRE(again->running().empty() && ends_of(*again) == all);
    again->acknowledge(~std::uint64_t{0});
    JARVIS_REQUIRE(!again->has_unacknowledged() && !again->has_unsent());
    return 0;
}
