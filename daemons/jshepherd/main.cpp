// jshepherd: the launcher, and under another name its templates.
#include "launcher.hpp"
#include "log.hpp"
#include "template.hpp"

#include "base/version.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <getopt.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

using namespace jarvis;
using namespace jarvis::shepherd;

constexpr int wrong_usage = 2;

constexpr const char* help =
    "Usage: jshepherd --socket PATH [options]\n"
    "Starts the processes of jobs for the node daemon and outlives it. jnoded starts it; see jshepherd(8).\n"
    "\n"
    "  --socket PATH                where to listen for jnoded\n"
    "  --plugins DIR                folder of the plugins (default " JARVIS_PLUGIN_DIR ")\n"
    "  --runtime NAME               runtime to offer (default native); may be repeated\n"
    "  --setting NAME.KEY=VALUE     setting of a runtime; may be repeated\n"
    "  --log-file FILE              log to this file, opened anew on SIGHUP (default: stderr)\n"
    "  --log-format text|json       (default text)\n"
    "  --help                       this text\n"
    "  --version                    the version\n";

[[noreturn]] void refuse(const std::string& message)
{
    fmt::print(stderr, "jshepherd: {}\nTry jshepherd --help.\n", message);
    std::exit(wrong_usage);
}

void add_setting(LauncherOptions& options, const std::string& text)
{
    const auto dot = text.find('.');
    const auto equals = text.find('=');
    if (dot == text.npos || equals == text.npos || equals < dot)
        refuse(fmt::format("--setting {}: expected NAME.KEY=VALUE", text));
    options.settings[text.substr(0, dot)][text.substr(dot + 1, equals - dot - 1)] = text.substr(equals + 1);
}

LauncherOptions parse_options(int argc, char** argv)
{
    static const option known[] = {
        {"socket", required_argument, nullptr, 's'},     {"plugins", required_argument, nullptr, 'p'},
        {"runtime", required_argument, nullptr, 'r'},    {"setting", required_argument, nullptr, 'k'},
        {"log-file", required_argument, nullptr, 'l'},   {"log-format", required_argument, nullptr, 'f'},
        {"help", no_argument, nullptr, 'h'},             {"version", no_argument, nullptr, 'v'},
        {nullptr, 0, nullptr, 0},
    };
    LauncherOptions options;
    options.plugins = JARVIS_PLUGIN_DIR;
    for (int found; (found = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
        switch (found) {
        case 's': options.socket = optarg; break;
        case 'p': options.plugins = optarg; break;
        case 'r': options.runtimes.push_back(optarg); break;
        case 'k': add_setting(options, optarg); break;
        case 'l': options.log_file = optarg; break;
        case 'f':
            if (std::strcmp(optarg, "text") != 0 && std::strcmp(optarg, "json") != 0)
                refuse(fmt::format("--log-format {}: expected text or json", optarg));
            options.log_json = std::strcmp(optarg, "json") == 0;
            break;
        case 'h': fmt::print("{}", help); std::exit(0);
        case 'v': fmt::print("jshepherd {}\n", version); std::exit(0);
        default: std::exit(wrong_usage); // getopt has said what is wrong
        }
    }
    if (optind < argc)
        refuse(fmt::format("unexpected argument {}", argv[optind]));
    if (options.socket.empty())
        refuse("--socket is missing");
    // We leave this folder.
    for (std::string* path : {&options.socket, &options.plugins, &options.log_file})
        if (!path->empty())
            *path = std::filesystem::absolute(*path).string();
    if (options.runtimes.empty())
        options.runtimes.push_back("native");
    return options;
}

// Started as "jshepherd: template" RUNTIME SOCKET PLUGIN LAUNCHER [KEY=VALUE...] by the launcher itself.
int template_main(int argc, char** argv)
{
    TemplateOptions options{.socket = std::atoi(argv[2]), .plugin_file = argv[3], .settings = {}};
    for (int i = 5; i < argc; ++i) {
        const std::string word = argv[i];
        const auto equals = word.find('=');
        options.settings[word.substr(0, equals)] = word.substr(equals + 1);
    }
    return run_template(options);
}

// Whatever the starter left open would stay open as long as the last job runs.
void close_inherited()
{
    if (::syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
        return;
    for (long fd = ::sysconf(_SC_OPEN_MAX) - 1; fd >= 3; --fd)
        ::close(static_cast<int>(fd));
}

int launcher_main(int argc, char** argv)
{
    LauncherOptions options = parse_options(argc, argv);
    close_inherited();
    if (auto opened = open_log(options.log_file, options.log_json); !opened) {
        fmt::print(stderr, "jshepherd: {}\n", opened.error().message);
        return 1;
    }
    [[maybe_unused]] const int moved = ::chdir("/"); // no file system is kept busy
    ::umask(022);
    Launcher launcher(std::move(options));
    if (auto started = launcher.start(); !started) {
        log_error("{}", started.error().message);
        return 1;
    }
    launcher.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    try {
        if (argc >= 5 && std::strcmp(argv[0], "jshepherd: template") == 0)
            return template_main(argc, argv);
        return launcher_main(argc, argv);
    } catch (const std::exception& error) { // no memory
        log_error("{}", error.what());
        return 1;
    }
}
