// Paths and names that are found on the machine when the file does not give them.
#include "config/config.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace jarvis::config {

namespace {

namespace fs = std::filesystem;

// The folder of the running program; empty when the kernel does not tell.
fs::path program_folder()
{
    std::error_code error;
    auto program = fs::read_symlink("/proc/self/exe", error);
    return error ? fs::path() : program.parent_path();
}

// A temporary file system is empty after a boot, which is what the run-time folder needs.
bool is_writable_tmpfs(const std::string& folder)
{
    struct statfs file_system {};
    return ::statfs(folder.c_str(), &file_system) == 0 && file_system.f_type == TMPFS_MAGIC &&
           ::access(folder.c_str(), W_OK | X_OK) == 0;
}

// The first of the candidates, relative ones counted from the program's folder, that is there.
std::string first_existing(std::initializer_list<fs::path> candidates, const std::string& otherwise)
{
    const auto folder = program_folder();
    std::error_code error;
    for (const auto& candidate : candidates)
        if (!folder.empty() && fs::exists(folder / candidate, error))
            return (folder / candidate).lexically_normal().string();
    return otherwise;
}

} // namespace

std::string find_config_path(const std::optional<std::string>& argument)
{
    if (argument)
        return *argument;
    const char* variable = std::getenv("JARVIS_CONF");
    return variable && *variable ? variable : "/etc/jarvis/jarvis.toml";
}

std::string node_name(const Config& config)
{
    if (!config.jnoded.name.empty())
        return config.jnoded.name;
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0)
        return "localhost";
    std::string_view host(name.data());
    return std::string(host.substr(0, host.find('.')));
}

std::string run_directory(const Config& config)
{
    if (!config.jnoded.run_dir.empty())
        return config.jnoded.run_dir;
    const bool root = ::geteuid() == 0;
    const std::string name = fmt::format("jarvis_{}_{}", config.cluster.name, node_name(config));
    // A root shell has an XDG_RUNTIME_DIR too, but it goes with the login session, and jobs must not.
    const char* own = root ? nullptr : std::getenv("XDG_RUNTIME_DIR");
    if (own && *own == '/' && is_writable_tmpfs(own))
        return fmt::format("{}/{}", own, name);
    // Folders that all users share: each has a name of its own there.
    const std::string shared_name = root ? name : fmt::format("{}_{}", name, ::geteuid());
    for (std::string folder : {"/run", "/dev/shm"})
        if (is_writable_tmpfs(folder))
            return fmt::format("{}/{}", folder, shared_name);
    return fmt::format("{}/run_{}", config.jnoded.state_dir, name);
}

TlsFiles tls_files(const Config& config, std::string_view node)
{
    const auto& tls = config.tls;
    const auto folder = tls.ca.substr(0, tls.ca.rfind('/') + 1);
    TlsFiles files{tls.ca, tls.certificate, tls.key};
    if (files.certificate.empty())
        files.certificate = node.empty() ? folder + "controller.crt" : fmt::format("{}nodes/{}.crt", folder, node);
    if (files.key.empty()) {
        constexpr std::string_view suffix = ".crt";
        files.key = files.certificate;
        if (files.key.ends_with(suffix))
            files.key.resize(files.key.size() - suffix.size());
        files.key += ".key";
    }
    return files;
}

std::string user_socket(const Config& config)
{
    if (config.jnoded.socket == "none")
        return {};
    if (!config.jnoded.socket.empty())
        return config.jnoded.socket;
    const auto& beside = config.controller.socket;
    return beside.substr(0, beside.rfind('/') + 1) + "jnoded.sock";
}

std::string controller_metrics_socket(const Config& config)
{
    const auto& given = config.controller.metrics_socket;
    if (!given.empty())
        return given == "none" ? "" : given;
    const fs::path socket = config.controller.socket;
    return (socket.parent_path() / (socket.stem().string() + "-metrics" + socket.extension().string())).string();
}

std::string node_metrics_socket(const Config& config)
{
    const auto& given = config.jnoded.metrics_socket;
    if (!given.empty())
        return given == "none" ? "" : given;
    return run_directory(config) + "/metrics.sock";
}

std::string plugin_directory(const Config& config)
{
    if (!config.plugins.directory.empty())
        return config.plugins.directory;
    return first_existing({"../lib/jarvis/plugins", "../" JARVIS_LIBDIR "/jarvis/plugins", "../../" JARVIS_LIBDIR "/jarvis/plugins"},
                          JARVIS_FULL_LIBDIR "/jarvis/plugins");
}

std::string shepherd_program(const Config& config)
{
    if (!config.jnoded.shepherd.empty())
        return config.jnoded.shepherd;
    return first_existing({"jshepherd", "../bin/jshepherd", "../" JARVIS_LIBEXECDIR "/jarvis/jshepherd"},
                          JARVIS_FULL_LIBEXECDIR "/jarvis/jshepherd");
}

} // namespace jarvis::config
