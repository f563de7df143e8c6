#include "client/environment.hpp"

#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "client/id_list.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <map>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::client {

namespace {

// All of getrlimit(2) that a job can have from its submitter.
constexpr std::array<std::pair<std::string_view, int>, 16> limit_names{{
    {"AS", RLIMIT_AS},           {"CORE", RLIMIT_CORE},     {"CPU", RLIMIT_CPU},           {"DATA", RLIMIT_DATA},
    {"FSIZE", RLIMIT_FSIZE},     {"LOCKS", RLIMIT_LOCKS},   {"MEMLOCK", RLIMIT_MEMLOCK},   {"MSGQUEUE", RLIMIT_MSGQUEUE},
    {"NICE", RLIMIT_NICE},       {"NOFILE", RLIMIT_NOFILE}, {"NPROC", RLIMIT_NPROC},       {"RSS", RLIMIT_RSS},
    {"RTPRIO", RLIMIT_RTPRIO},   {"RTTIME", RLIMIT_RTTIME}, {"SIGPENDING", RLIMIT_SIGPENDING}, {"STACK", RLIMIT_STACK},
}};

std::string upper(std::string_view text)
{
    std::string result;
    for (unsigned char c : text)
        result += static_cast<char>(std::toupper(c));
    return result;
}

bool is_variable_name(std::string_view name)
{
    auto letter = [](unsigned char c) { return c == '_' || (c < 128 && std::isalpha(c)); };
    return !name.empty() && letter(static_cast<unsigned char>(name[0])) &&
           std::all_of(name.begin(), name.end(), [&](unsigned char c) { return letter(c) || std::isdigit(c); });
}

bool is_ours(std::string_view name) { return name.starts_with("JSUB_") || name.starts_with("JARVIS_"); }

bool same_file(const std::string& a, const std::string& b)
{
    struct stat first {}, second {};
    return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

} // namespace

Result<ExportPolicy> parse_export(std::string_view text)
{
    const auto parts = split_list(text, "variable");
    if (!parts)
        return std::unexpected(parts.error());
    ExportPolicy policy{.all = false, .names = {}, .settings = {}};
    for (const auto& part : *parts) {
        if (part == "ALL") {
            policy.all = true;
            continue;
        }
        if (part == "NONE" && parts->size() > 1)
            return fail(Errc::invalid, "NONE stands alone");
        if (part == "NONE")
            continue;
        const auto equals = part.find('=');
        const auto name = part.substr(0, equals);
        if (!is_variable_name(name))
            return fail(Errc::invalid, "\"{}\" is no name of a variable (a value ends at the next comma)", escape_for_terminal(name));
        if (is_ours(name))
            return fail(Errc::invalid, "{} cannot be exported: JSUB_* and JARVIS_* are set by Jarvis", name);
        if (equals == std::string::npos)
            policy.names.push_back(name);
        else
            policy.settings.emplace_back(name, part.substr(equals + 1));
    }
    return policy;
}

ExportedEnvironment export_environment(const ExportPolicy& policy, std::span<const std::string> environment)
{
    std::map<std::string, std::string> available, chosen;
    for (const auto& variable : environment) {
        const auto equals = variable.find('=');
        if (equals == std::string::npos || equals == 0)
            continue;
        auto name = variable.substr(0, equals);
        if (!is_ours(name))
            available.emplace(std::move(name), variable.substr(equals + 1)); // of two, getenv finds the first
    }
    ExportedEnvironment result;
    if (policy.all)
        chosen = available;
    for (const auto& name : policy.names) {
        if (const auto found = available.find(name); found != available.end())
            chosen.insert(*found);
        else
            result.missing.push_back(name);
    }
    for (const auto& [name, value] : policy.settings)
        chosen[name] = value;
    for (const auto& [name, value] : chosen)
        result.variables.push_back(name + "=" + value);
    return result;
}

std::string path_without_first(std::string_view path, std::string_view folder)
{
    std::string_view rest = path;
    while (!folder.empty() && !rest.empty()) {
        const auto colon = rest.find(':');
        const std::string first(rest.substr(0, colon));
        if (first != folder && !same_file(first, std::string(folder)))
            break;
        rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    }
    if (rest.size() == path.size())
        return std::string(path);
    return fmt::format("{}:{}", rest.empty() ? "/usr/local/bin:/usr/bin:/bin" : rest, folder);
}

std::string own_folder_with_jq()
{
    std::string program(4096, '\0');
    const auto n = ::readlink("/proc/self/exe", program.data(), program.size());
    if (n <= 0)
        return {};
    program.resize(static_cast<std::size_t>(n));
    const auto folder = program.substr(0, program.rfind('/'));
    return same_file(folder + "/jq", folder + "/jqueue") ? folder : std::string();
}

Result<std::vector<std::string>> parse_propagate(std::string_view text)
{
    const auto parts = split_list(text, "limit");
    if (!parts)
        return std::unexpected(parts.error());
    std::vector<std::string_view> known;
    for (const auto& [name, number] : limit_names)
        known.push_back(name);
    std::vector<std::string> names;
    for (const auto& part : *parts) {
        auto name = upper(part);
        if (parts->size() == 1 && name == "NONE")
            return names;
        if (parts->size() == 1 && name == "ALL")
            return std::vector<std::string>(known.begin(), known.end());
        if (name.starts_with("RLIMIT_"))
            name.erase(0, 7);
        if (std::find(known.begin(), known.end(), name) == known.end())
            return fail(Errc::invalid, "unknown limit \"{}\"{}; known are ALL, NONE and {}", escape_for_terminal(part),
                        did_you_mean(name, known), fmt::join(known, " "));
        names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

Result<std::vector<ResourceLimit>> current_limits(std::span<const std::string> names)
{
    std::vector<ResourceLimit> limits;
    for (const auto& [name, number] : limit_names) {
        if (std::find(names.begin(), names.end(), name) == names.end())
            continue;
        rlimit64 value{};
        if (::getrlimit64(static_cast<__rlimit_resource>(number), &value) != 0)
            return std::unexpected(system_error(errno, fmt::format("cannot read the limit {}", name)));
        limits.push_back({std::string(name), value.rlim_cur, value.rlim_max});
    }
    return limits;
}

std::vector<std::string> process_environment()
{
    std::vector<std::string> variables;
    for (char** variable = environ; *variable; ++variable)
        variables.emplace_back(*variable);
    return variables;
}

} // namespace jarvis::client
