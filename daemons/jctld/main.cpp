// jctld: the controller.
#include "controller.hpp"

#include "daemon/log.hpp"

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

using namespace jarvis;

namespace {

int start(const daemon::CommonOptions& options, bool check_state)
{
    auto loaded = config::load_config(options.config);
    if (!loaded) {
        std::cerr << loaded.error().text() << "\n";
        return 1;
    }
    auto config = std::make_shared<const config::Config>(std::move(*loaded));
    if (check_state)
        return jctld::check_state(*config);
    if (options.check_config) {
        auto checked = jctld::check_plugins(*config);
        if (!checked)
            std::cerr << checked.error().message << "\n";
        return checked ? 0 : 1;
    }
    auto log = options.log_options("jctld", config->log.file, name(config->log.level), config->log.format == config::LogFormat::json ? "json" : "text");
    if (auto opened = log ? daemon::open_log(*log) : std::unexpected(log.error()); !opened) {
        std::cerr << "jctld: " << opened.error().message << "\n";
        return 1;
    }
    return jctld::run_controller(std::move(config), options);
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{"The Jarvis controller: owns the cluster's state, schedules, answers clients and nodes.", "jctld"};
    daemon::CommonOptions options;
    bool check_state = false;
    daemon::add_common_options(app, options);
    app.add_flag("--check-state", check_state, "Read the stored state without starting, say what is there, and exit");
    if (auto code = daemon::parse_options(app, argc, argv, options))
        return *code;
    try {
        return start(options, check_state);
    } catch (const std::exception& error) { // out of memory, or a library's own exception
        std::cerr << "jctld: " << error.what() << "\n";
        return 1;
    }
}
