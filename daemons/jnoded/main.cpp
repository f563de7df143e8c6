// jnoded: the daemon of a compute node.
#include "node_daemon.hpp"

#include "base/nearest.hpp"
#include "daemon/boot_id.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics_server.hpp"
#include "daemon/notify.hpp"
#include "daemon/options.hpp"
#include "daemon/signals.hpp"
#include "node_offer.hpp"
#include "remote_controller.hpp"
#include "topology_change.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

namespace {

using namespace jarvis;
using namespace jarvis::noded;
using jarvis::daemon::log;

constexpr int failed = 1;
constexpr int wrong_usage = 2;

Result<config::Node> declared_node(const config::Config& config, const std::string& name)
{
    if (auto node = config::settings_of_node(config, name))
        return *node;
    // A node on another machine needs the controller's addresses and its certificate alone; who it is says the controller.
    if (config.nodes.empty() && !config.controller.addresses.empty())
        return config::Node{.name = name};
    std::vector<std::string_view> names;
    for (const auto& node : config.nodes)
        names.push_back(node.name);
    return fail(Errc::not_found, "{}: no [[node]] is named {}, which is the name of this node{} (jnoded.name gives another)",
                config.file, name, did_you_mean(name, names));
}

// Where jsub and jq of this installation are: beside this program, or in bin beside its sbin; or where the starter says.
std::vector<std::string> own_folders()
{
    std::vector<std::string> folders;
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error) {
        folders.push_back(program.parent_path().string());
        folders.push_back((program.parent_path().parent_path() / "bin").string());
    }
    if (const char* given = std::getenv("JARVIS_BIN_DIR"); given != nullptr && given[0] != '\0')
        folders.emplace_back(given);
    return folders;
}

std::string setting_text(const config::RawSetting& setting)
{
    return std::visit([](const auto& value) { return fmt::format("{}", value); }, setting.value);
}

LauncherOptions launcher_options(const config::Config& config, const RunFolder& folder, const daemon::LogOptions& log_options)
{
    LauncherOptions options{.program = config::shepherd_program(config), .socket = folder.launcher_socket()};
    const auto& runtime = config.jnoded.runtime;
    options.arguments = {"--socket", options.socket, "--plugins", config::plugin_directory(config), "--runtime", runtime};
    if (const auto* section = config.plugin_section("runtime", runtime))
        for (const auto& setting : section->settings) {
            options.arguments.emplace_back("--setting");
            options.arguments.push_back(fmt::format("{}.{}={}", runtime, setting.name, setting_text(setting)));
        }
    if (!log_options.file.empty()) {
        options.arguments.emplace_back("--log-file");
        options.arguments.push_back(std::filesystem::absolute(log_options.file).string());
    }
    options.arguments.emplace_back("--log-format");
    options.arguments.emplace_back(log_options.format == daemon::LogFormat::json ? "json" : "text");
    return options;
}

Result<Setup> set_up(config::Config config, const daemon::LogOptions& log_options)
{
    config.file = std::filesystem::absolute(config.file).string(); // jobs see it as JARVIS_CONF
    auto name = config::node_name(config);
    auto node = declared_node(config, name);
    if (!node)
        return std::unexpected(node.error());
    auto far = remote_controller(config, name);
    if (!far)
        return std::unexpected(far.error());
    auto boot_id = daemon::read_boot_id(config.jnoded.boot_id_file);
    if (!boot_id)
        return std::unexpected(boot_id.error());
    auto signature = machine_signature();
    auto offered = find_offer(*node, config.jnoded);
    if (!offered)
        return std::unexpected(offered.error());
    auto folder = RunFolder::open(config, name);
    if (!folder)
        return std::unexpected(folder.error());
    auto launcher = launcher_options(config, *folder, log_options);
    auto agent = (std::filesystem::path(launcher.program).parent_path() / "jagent").string(); // they are installed together
    return Setup{.config = std::move(config),
                 .node_name = std::move(name),
                 .boot_id = std::move(*boot_id),
                 .node = std::move(*node),
                 .signature = std::move(signature),
                 .topology = std::move(offered->topology),
                 .bound = offered->bound,
                 .notes = std::move(offered->notes),
                 .folder = std::move(*folder),
                 .own_folders = own_folders(),
                 .launcher = std::move(launcher),
                 .agent = std::move(agent),
                 .addresses = std::move(far->addresses),
                 .credentials = std::move(far->credentials)};
}

int run(Setup setup)
{
    log().info("node {}: {} cores, {} NUMA nodes; run-time folder {}", setup.node_name, setup.topology.cores.size(),
               setup.topology.numa_nodes.size(), setup.folder.path());
    asio::io_context io(1);
    const daemon::MetricsPlaces places{.socket = config::node_metrics_socket(setup.config),
                                       .socket_asked = !setup.config.jnoded.metrics_socket.empty(),
                                       .listen = setup.config.jnoded.metrics_listen,
                                       .default_port = config::default_node_metrics_port};
    NodeDaemon node(io, std::move(setup));
    daemon::MetricsServer metrics(io.get_executor(), node.metrics());
    if (auto opened = metrics.open(places); !opened) {
        log().error("{}", opened.error().message);
        return failed;
    }
    bool stopping = false;
    std::optional<daemon::Signals> signals;
    signals.emplace(
        io.get_executor(),
        [&](int) {
            if (std::exchange(stopping, true))
                return;
            node.stop();
            metrics.close();
            signals->close();
        },
        [&] { node.reload(); });
    node.start();
    (void)daemon::notify_ready("running");
    io.run();
    log().info("stopped");
    return 0;
}

int main_unprotected(int argc, char** argv)
{
    daemon::CommonOptions options;
    CLI::App app("The node daemon of Jarvis: offers this machine's cores and memory, and runs jobs on them.", "jnoded");
    daemon::add_common_options(app, options);
    bool check = false, json = false;
    app.add_flag("--check", check, "say what this machine can enforce and what it takes to enforce the rest, and exit");
    app.add_flag("--json", json, "with --check: as a JSON object (schema jarvis.node_check/1)");
    if (auto code = daemon::parse_options(app, argc, argv, options))
        return *code;
    auto config = config::load_config(options.config);
    if (!config) {
        fmt::print(stderr, "{}\n", config.error().text());
        return failed;
    }
    if (json && !check) {
        fmt::print(stderr, "jnoded: --json is for --check\n");
        return wrong_usage;
    }
    if (check) {
        const auto checked = check_node(situation_of(*config, config::node_name(*config)));
        fmt::print("{}", json ? fmt::format("{{\"schema\":\"jarvis.node_check/1\",\"nodes\":[{}]}}\n", checked.json()) : checked.text());
        return std::fflush(stdout) == 0 ? 0 : failed;
    }
    auto log_options = options.log_options("jnoded", config->log.file, config::name(config->log.level),
                                           config->log.format == config::LogFormat::json ? "json" : "text");
    if (!log_options) {
        fmt::print(stderr, "jnoded: {}\n", log_options.error().message);
        return failed;
    }
    if (options.check_config) {
        auto node = declared_node(*config, config::node_name(*config));
        if (!node) {
            fmt::print(stderr, "{}\n", node.error().message);
            return failed;
        }
        if (auto offered = find_offer(*node, config->jnoded); !offered) {
            fmt::print(stderr, "{}\n", offered.error().message);
            return failed;
        }
        if (auto far = remote_controller(*config, config::node_name(*config)); !far) {
            fmt::print(stderr, "jnoded: {}\n", far.error().message);
            return failed;
        }
        return 0;
    }
    if (auto opened = daemon::open_log(*log_options); !opened) {
        fmt::print(stderr, "jnoded: {}\n", opened.error().message);
        return failed;
    }
    daemon::ignore_sigpipe();
    auto setup = set_up(std::move(*config), *log_options);
    if (!setup) {
        log().error("{}", setup.error().message);
        return failed;
    }
    return run(std::move(*setup));
}

} // namespace

int main(int argc, char** argv)
{
    try {
        return main_unprotected(argc, argv);
    } catch (const std::exception& error) { // no memory, or a library's own
        log().error("{}", error.what());
        return failed;
    }
}
