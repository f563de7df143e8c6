// Many nodes in one process, for a real controller to serve: all those of its configuration, each with a connection of its
// own and the product's node core, and with jobs that do nothing but take their time. Where the configuration says
// controller.addresses they connect over TLS, each with a certificate of its own, else by the controller's socket.
//
//   bench_node_load --config FILE [--threads N] [--cores N] [--run-ms N]
//
// Commands come as lines on standard input: "stats" prints the counts as one line of JSON, "run MS" says how long jobs that
// are launched from now on run. The end of the input is the end.
#include "config/config.hpp"
#include "daemon/log.hpp"
#include "daemon/signals.hpp"
#include "remote_controller.hpp"
#include "simulated_node.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <iostream>
#include <thread>

using namespace jarvis;
using namespace jarvis::bench;

namespace {

struct Options {
    std::string config;
    unsigned threads = 1;
    std::uint32_t cores = 8; // of nodes whose [[node]] says none
    std::int64_t run_ms = 100;
};

// Two packages with a NUMA node each, and one hardware thread a core.
Topology topology_of(const config::Node& node, std::uint32_t usual_cores)
{
    const auto cores = node.cores ? node.cores : usual_cores;
    const auto memory = node.memory.value_or(mebibytes(std::int64_t{2048} * cores));
    const std::uint32_t packages = cores > 1 ? 2 : 1;
    Topology topology;
    for (std::uint32_t core = 0; core < cores; ++core)
        topology.cores.push_back({.pus = {core}, .package = core * packages / cores});
    for (std::uint32_t package = 0; package < packages; ++package) {
        NumaNode numa{.os_index = package, .memory = MemorySize{memory.bytes / packages}, .cores = {}};
        for (std::uint32_t core = 0; core < cores; ++core)
            if (topology.cores[core].package == package)
                numa.cores.insert(core);
        topology.numa_nodes.push_back(std::move(numa));
    }
    return topology;
}

noded::Registration registration_of(const config::Node& node, const Options& options)
{
    return {.name = node.name,
            .boot_id = "boot-of-" + node.name,
            .topology = topology_of(node, options.cores),
            .capabilities = required_capabilities(Confinement::full),
            .notes = {"simulated"}};
}

Result<noded::ControllerLinkOptions> link_of(const config::Config& config, const config::Node& node)
{
    auto remote = noded::remote_controller(config, node.name);
    if (!remote)
        return std::unexpected(remote.error());
    return noded::ControllerLinkOptions{.socket = config.controller.socket,
                                        .addresses = std::move(remote->addresses),
                                        .credentials = std::move(remote->credentials),
                                        .cluster_name = config.cluster.name,
                                        .node_name = node.name,
                                        .max_frame = static_cast<std::size_t>(config.limits.message_size.bytes)};
}

// One thread with its loop and its share of the nodes.
class Crowd {
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> busy_{io_.get_executor()};
    std::deque<SimulatedNode> nodes_;
    std::jthread thread_;

public:
    void add(noded::ControllerLinkOptions link, noded::Registration registration, Counts& counts, const RunTime& run_time)
    {
        nodes_.emplace_back(io_, std::move(link), std::move(registration), counts, run_time);
    }
    void start()
    {
        asio::post(io_, [this] {
            for (auto& node : nodes_)
                node.start();
        });
        thread_ = std::jthread([this] { io_.run(); });
    }
    void stop()
    {
        asio::post(io_, [this] {
            for (auto& node : nodes_)
                node.stop();
            busy_.reset();
        });
        thread_.join();
    }
};

void print(const Counts& counts)
{
    std::string line;
    const auto put = [&](std::string_view name, const Counts::Counter& counter) {
        line += fmt::format("{}\"{}\": {}", line.empty() ? "{" : ", ", name, counter.load());
    };
    put("welcomed", counts.welcomed);
    put("registrations", counts.registrations);
    put("reports", counts.reports);
    put("from_nodes", counts.from_nodes);
    put("to_nodes", counts.to_nodes);
    put("launched", counts.launched);
    put("ended", counts.ended);
    put("signalled", counts.signalled);
    put("forgotten", counts.forgotten);
    put("launched_twice", counts.launched_twice);
    put("refused", counts.refused);
    put("last_welcome_us", counts.last_welcome_us);
    std::cout << line << "}" << std::endl;
}

int obey(const Counts& counts, RunTime& run_time)
{
    std::string line;
    while (std::getline(std::cin, line)) {
        if (line == "stats") {
            print(counts);
        } else if (line.starts_with("run ")) {
            run_time = std::stoll(line.substr(4)) * 1000;
        } else {
            std::cerr << "unknown command: " << line << "\n";
            return 2;
        }
    }
    return 0;
}

int run(const config::Config& config, const Options& options)
{
    Counts counts;
    RunTime run_time = options.run_ms * 1000;
    std::deque<Crowd> crowds(std::max(options.threads, 1u));
    for (std::size_t i = 0; i < config.nodes.size(); ++i) {
        auto link = link_of(config, config.nodes[i]);
        if (!link) {
            std::cerr << "node " << config.nodes[i].name << ": " << link.error().message << "\n";
            return 2;
        }
        crowds[i % crowds.size()].add(std::move(*link), registration_of(config.nodes[i], options), counts, run_time);
    }
    for (auto& crowd : crowds)
        crowd.start();
    const int code = obey(counts, run_time);
    for (auto& crowd : crowds)
        crowd.stop();
    return code;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    CLI::App app("Simulated nodes for a real controller.", "bench_node_load");
    app.add_option("--config", options.config)->required();
    app.add_option("--threads", options.threads);
    app.add_option("--cores", options.cores);
    app.add_option("--run-ms", options.run_ms);
    CLI11_PARSE(app, argc, argv);
    auto config = config::load_config(options.config);
    if (!config) {
        std::cerr << config.error().text() << "\n";
        return 2;
    }
    if (auto opened = daemon::open_log({.program = "bench_node_load", .level = daemon::LogLevel::error}); !opened) {
        std::cerr << opened.error().message << "\n";
        return 2;
    }
    daemon::ignore_sigpipe();
    return run(*config, options);
}
