#include "client/find_socket.hpp"

#include "base/fd.hpp"
#include "config/toml.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

constexpr const char* default_config = "/etc/jarvis/jarvis.toml";
constexpr const char* default_socket = "/run/jarvis/jctld.sock";
constexpr std::string_view node_socket_name = "jnoded.sock"; // beside the controller's
constexpr std::size_t most_bytes = std::size_t{64} << 20; // of a configuration file

std::string_view trim(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "value" of a plain basic or literal string and perhaps a comment; nothing for anything else.
std::optional<std::string> plain_string(std::string_view text)
{
    if (text.size() < 2 || (text[0] != '"' && text[0] != '\''))
        return {};
    const auto end = text.find(text[0], 1);
    const auto value = text.substr(1, end - 1);
    if (end == std::string_view::npos || value.find('\\') != std::string_view::npos)
        return {};
    const auto rest = trim(text.substr(end + 1));
    if (!rest.empty() && rest[0] != '#')
        return {};
    return std::string(value);
}

Result<std::string> read_file(const std::string& path)
{
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        auto error = system_error(errno, fmt::format("cannot open configuration {}", path));
        if (errno == ENOENT)
            error.code = Errc::not_found;
        return std::unexpected(error);
    }
    std::string text;
    char block[16384];
    while (true) {
        const auto n = ::read(file.get(), block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return std::unexpected(system_error(errno, fmt::format("cannot read configuration {}", path)));
        if (n == 0)
            return text;
        text.append(block, static_cast<std::size_t>(n));
        if (text.size() > most_bytes)
            return fail(Errc::invalid, "configuration {} is larger than {} MiB", path, most_bytes >> 20);
    }
}

// Whose sections hold sockets.
constexpr std::array<std::string_view, 2> owners{"controller", "jnoded"};

bool names_an_owner(std::string_view text)
{
    return std::ranges::any_of(owners, [&](std::string_view owner) { return text.find(owner) != std::string_view::npos; });
}

std::string config_file()
{
    const char* named = std::getenv("JARVIS_CONF");
    return named && *named ? named : default_config;
}

bool is_there(const std::string& path) { return !path.empty() && ::access(path.c_str(), F_OK) == 0; }

} // namespace

std::string Sockets::controller_path() const { return controller.value_or(default_socket); }

std::string Sockets::node_path() const
{
    if (node && *node == "none")
        return {};
    if (node && !node->empty())
        return *node;
    const auto beside = controller_path();
    return fmt::format("{}{}", std::string_view(beside).substr(0, beside.rfind('/') + 1), node_socket_name);
}

// A parse by toml++ costs 0.2 ms at a process's start (page faults, symbols), a sixth of all that a command needs until it
// has its first answer; this costs nothing. It gives up on whatever could make a line mean something else.
std::optional<Sockets> scan_sockets(std::string_view text)
{
    if (text.find("\"\"\"") != std::string_view::npos || text.find("'''") != std::string_view::npos)
        return {};
    Sockets found;
    std::optional<std::string>* inside = nullptr; // the value of the section that we are in
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.starts_with('[')) {
            inside = line == "[controller]" ? &found.controller : line == "[jnoded]" ? &found.node : nullptr;
            if (!inside && line != "[jnoded.limits]" && names_an_owner(line))
                return {}; // "[ controller ]", "[controller] # ours"
            continue;
        }
        const auto key = trim(line.substr(0, line.find('=')));
        if (!inside && names_an_owner(key) && !line.starts_with('#'))
            return {}; // a dotted key or an inline table
        if (!inside || key.find("socket") == std::string_view::npos || key == "metrics_socket" || line.starts_with('#'))
            continue;
        if (key != "socket" || line.find('=') == std::string_view::npos)
            return {};
        *inside = plain_string(trim(line.substr(line.find('=') + 1)));
        if (!*inside)
            return {};
    }
    return found;
}

Result<Sockets> parse_sockets(std::string_view text, std::string_view file)
{
    const auto parsed = toml::parse(text, file);
    if (!parsed) {
        const auto& where = parsed.error().source().begin;
        return fail(Errc::invalid, "{}:{}:{}: {}", file, where.line, where.column, parsed.error().description());
    }
    std::array<std::optional<std::string>, owners.size()> found;
    for (std::size_t i = 0; i < owners.size(); ++i) {
        const auto value = parsed.table()[owners[i]]["socket"];
        if (value && !value.is_string()) {
            const auto& where = value.node()->source().begin;
            return fail(Errc::invalid, "{}:{}:{}: {}.socket: expected a string", file, where.line, where.column, owners[i]);
        }
        found[i] = value.value<std::string>();
    }
    return Sockets{std::move(found[0]), std::move(found[1])};
}

Result<std::string> find_socket()
{
    if (const char* socket = std::getenv("JARVIS_SOCKET"); socket && *socket)
        return std::string(socket);
    const char* named = std::getenv("JARVIS_CONF");
    const auto file = config_file();
    const auto text = read_file(file);
    Sockets sockets;
    if (text) {
        auto scanned = scan_sockets(*text);
        auto read = scanned ? Result<Sockets>(std::move(*scanned)) : parse_sockets(*text, file);
        if (!read)
            return std::unexpected(read.error());
        sockets = std::move(*read);
    } else if (text.error().code != Errc::not_found || (named && *named)) {
        return std::unexpected(text.error());
    }
    auto controller = sockets.controller_path();
    auto node = is_there(controller) ? std::string() : sockets.node_path();
    return is_there(node) ? node : controller;
}

// As a node daemon finds its folder (jnoded.run_dir in jarvis.toml(5)).
Result<std::vector<std::string>> step_sockets(std::string_view text, std::string_view file, const Surroundings& here)
{
    const auto parsed = toml::parse(text, file);
    if (!parsed) {
        const auto& where = parsed.error().source().begin;
        return fail(Errc::invalid, "{}:{}:{}: {}", file, where.line, where.column, parsed.error().description());
    }
    const auto& table = parsed.table();
    if (const auto folder = table["jnoded"]["run_dir"].value<std::string>(); folder && !folder->empty())
        return std::vector{fmt::format("{}/steps.sock", *folder)};
    auto node = table["jnoded"]["name"].value_or(std::string());
    if (node.empty())
        node = here.host_name.substr(0, here.host_name.find('.'));
    const auto name = fmt::format("jarvis_{}_{}", table["cluster"]["name"].value_or(std::string("jarvis")), node);
    std::vector<std::string> paths;
    if (!here.runtime_folder.empty())
        paths.push_back(fmt::format("{}/{}/steps.sock", here.runtime_folder, name));
    for (const auto* folder : {"/run", "/dev/shm"}) {
        paths.push_back(fmt::format("{}/{}/steps.sock", folder, name));
        paths.push_back(fmt::format("{}/{}_{}/steps.sock", folder, name, here.uid));
    }
    if (const auto state = table["jnoded"]["state_dir"].value<std::string>(); state && !state->empty())
        paths.push_back(fmt::format("{}/run_{}/steps.sock", *state, name));
    return paths;
}

Result<std::string> find_step_socket()
{
    const auto file = config_file();
    const auto text = read_file(file);
    if (!text && text.error().code != Errc::not_found)
        return std::unexpected(text.error());
    char host[256] = {};
    (void)::gethostname(host, sizeof host - 1);
    const char* own = std::getenv("XDG_RUNTIME_DIR");
    const auto paths = step_sockets(text ? *text : std::string(), file, {host, own && *own == '/' ? own : "", ::geteuid()});
    if (!paths)
        return std::unexpected(paths.error());
    const auto found = std::ranges::find_if(*paths, is_there);
    return found == paths->end() ? paths->front() : *found;
}

} // namespace jarvis::client
