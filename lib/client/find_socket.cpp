#include "client/find_socket.hpp"

#include "base/fd.hpp"
#include "config/toml.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

constexpr const char* default_config = "/etc/jarvis/jarvis.toml";
constexpr const char* default_socket = "/run/jarvis/jctld.sock";
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

} // namespace

// A parse by toml++ costs 0.2 ms at a process's start (page faults, symbols), a sixth of all that a command needs until it
// has its first answer; this costs nothing. It gives up on whatever could make a line mean something else.
std::optional<ScannedSocket> scan_socket(std::string_view text)
{
    if (text.find("\"\"\"") != std::string_view::npos || text.find("'''") != std::string_view::npos)
        return {};
    ScannedSocket found;
    bool inside = false;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = trim(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.starts_with('[')) {
            inside = line == "[controller]";
            if (!inside && line.find("controller") != std::string_view::npos)
                return {}; // "[ controller ]", "[controller] # ours"
            continue;
        }
        const auto key = trim(line.substr(0, line.find('=')));
        if (!inside && key.find("controller") != std::string_view::npos && !line.starts_with('#'))
            return {}; // a dotted key or an inline table
        if (!inside || key.find("socket") == std::string_view::npos || line.starts_with('#'))
            continue;
        if (key != "socket" || line.find('=') == std::string_view::npos)
            return {};
        found.socket = plain_string(trim(line.substr(line.find('=') + 1)));
        if (!found.socket)
            return {};
    }
    return found;
}

Result<std::optional<std::string>> parse_socket(std::string_view text, std::string_view file)
{
    const auto parsed = toml::parse(text, file);
    if (!parsed) {
        const auto& where = parsed.error().source().begin;
        return fail(Errc::invalid, "{}:{}:{}: {}", file, where.line, where.column, parsed.error().description());
    }
    const auto value = parsed.table()["controller"]["socket"];
    if (!value)
        return std::optional<std::string>();
    if (!value.is_string()) {
        const auto& where = value.node()->source().begin;
        return fail(Errc::invalid, "{}:{}:{}: controller.socket: expected a string", file, where.line, where.column);
    }
    return value.value<std::string>();
}

Result<std::string> controller_socket()
{
    if (const char* socket = std::getenv("JARVIS_SOCKET"); socket && *socket)
        return std::string(socket);
    const char* named = std::getenv("JARVIS_CONF");
    const std::string file = named && *named ? named : default_config;
    const auto text = read_file(file);
    if (!text && text.error().code == Errc::not_found && !(named && *named))
        return default_socket;
    if (!text)
        return std::unexpected(text.error());
    if (auto scanned = scan_socket(*text))
        return scanned->socket.value_or(default_socket);
    auto parsed = parse_socket(*text, file);
    if (!parsed)
        return std::unexpected(parsed.error());
    return parsed->value_or(default_socket);
}

} // namespace jarvis::client
