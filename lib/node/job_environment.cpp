#include "node/job_environment.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace jarvis::node {
namespace {

// What a login shell starts with on Debian (login.defs, ENV_PATH).
constexpr std::string_view default_path = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";

// Always somebody else's folders too.
constexpr std::string_view system_folders[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"};

std::string_view without_last_slashes(std::string_view folder)
{
    while (folder.size() > 1 && folder.ends_with('/'))
        folder.remove_suffix(1);
    return folder;
}

bool is_ours(std::string_view folder, const std::vector<std::string>& own_folders)
{
    folder = without_last_slashes(folder);
    if (std::ranges::find(system_folders, folder) != std::end(system_folders))
        return false;
    return std::ranges::any_of(own_folders, [&](const auto& own) { return without_last_slashes(own) == folder; });
}

std::map<std::string, std::string> submitters_variables(const std::vector<std::string>& environment)
{
    std::map<std::string, std::string> variables;
    for (const auto& variable : environment) {
        const auto equals = variable.find('=');
        if (equals == std::string::npos || equals == 0 || variable.starts_with("JSUB_") || variable.starts_with("JARVIS_"))
            continue;
        variables[variable.substr(0, equals)] = variable.substr(equals + 1);
    }
    return variables;
}

void set_account(std::map<std::string, std::string>& variables, const Account& account)
{
    variables["HOME"] = account.home;
    variables["USER"] = account.user;
    variables["LOGNAME"] = account.user;
    variables["SHELL"] = account.shell.empty() ? "/bin/sh" : account.shell;
}

} // namespace

std::string path_with_ours_last(std::string_view path, const std::vector<std::string>& own_folders)
{
    std::string others, ours;
    const auto add = [](std::string& list, std::string_view folder) {
        if (!list.empty())
            list += ':';
        list += folder;
    };
    while (true) {
        const auto colon = path.find(':');
        const auto folder = path.substr(0, colon);
        // An empty entry means the working folder; written as one it survives being moved to the front of the list.
        add(is_ours(folder, own_folders) ? ours : others, folder.empty() ? "." : folder);
        if (colon == std::string_view::npos)
            break;
        path.remove_prefix(colon + 1);
    }
    if (others.empty())
        others = default_path;
    if (!ours.empty())
        add(others, ours);
    return others;
}

std::string format_pus(std::vector<std::uint32_t> pus)
{
    std::ranges::sort(pus);
    std::string text;
    for (std::size_t i = 0; i < pus.size();) {
        std::size_t last = i;
        while (last + 1 < pus.size() && pus[last + 1] == pus[last] + 1)
            ++last;
        if (!text.empty())
            text += ',';
        text += last == i ? fmt::format("{}", pus[i]) : fmt::format("{}-{}", pus[i], pus[last]);
        i = last + 1;
    }
    return text;
}

std::string format_tasks_per_node(const std::vector<std::uint32_t>& tasks)
{
    std::string text;
    for (std::size_t i = 0; i < tasks.size();) {
        std::size_t end = i + 1;
        while (end < tasks.size() && tasks[end] == tasks[i])
            ++end;
        text += fmt::format("{}{}", text.empty() ? "" : ",", tasks[i]);
        if (end - i > 1)
            text += fmt::format("(x{})", end - i);
        i = end;
    }
    return text;
}

std::vector<std::string> job_environment(const StartOrder& order, const NodeFacts& facts, const std::vector<std::uint32_t>& pus,
                                         std::string_view temporary_folder)
{
    const auto& request = order.request;
    auto variables = submitters_variables(order.environment);
    set_account(variables, *request.account);
    const auto path = variables.find("PATH");
    variables["PATH"] = path == variables.end() || path->second.empty()
                            ? std::string(default_path)
                            : path_with_ours_last(path->second, facts.own_folders);

    const auto set = [&](const char* name, auto&& value) { variables[name] = fmt::format("{}", value); };
    set("JARVIS_JOB_ID", order.key.job);
    if (order.key.job.is_task()) {
        set("JARVIS_ARRAY_JOB_ID", order.key.job.array());
        set("JARVIS_ARRAY_TASK_ID", order.key.job.task);
        set("JARVIS_ARRAY_TASK_MIN", order.array.min);
        set("JARVIS_ARRAY_TASK_MAX", order.array.max);
        set("JARVIS_ARRAY_TASK_STEP", order.array.step);
        set("JARVIS_ARRAY_TASK_COUNT", order.array.count);
    }
    set("JARVIS_JOB_NAME", request.name);
    set("JARVIS_SUBMIT_DIR", *request.submit_directory);
    set("JARVIS_SUBMIT_HOST", *request.submit_host);
    set("JARVIS_NODELIST", order.node_list);
    set("JARVIS_NNODES", order.node_count);
    set("JARVIS_NTASKS", request.resources.tasks);
    set("JARVIS_TASKS_PER_NODE", format_tasks_per_node(order.tasks_per_node.empty() ? std::vector{request.resources.tasks}
                                                                                    : order.tasks_per_node));
    if (request.resources.tasks_per_node > 0)
        set("JARVIS_NTASKS_PER_NODE", request.resources.tasks_per_node);
    set("JARVIS_CPUS_PER_TASK", request.resources.cpus_per_task);
    set("JARVIS_CPUS_ON_NODE", order.placement.cores.count());
    set("JARVIS_CPU_LIST", format_pus(pus));
    set("JARVIS_MEM_PER_NODE", order.placement.total_memory().bytes >> 20); // MiB
    set("JARVIS_NODENAME", facts.node_name);
    set("JARVIS_PARTITION", *request.partition);
    set("JARVIS_RESTART_COUNT", order.key.incarnation.value - 1);
    set("JARVIS_CONF", facts.configuration);
    set("JARVIS_TMPDIR", temporary_folder);
    if (!facts.step_socket.empty())
        set("JARVIS_STEP_SOCKET", facts.step_socket);

    std::vector<std::string> environment;
    environment.reserve(variables.size());
    for (const auto& [name, value] : variables)
        environment.push_back(fmt::format("{}={}", name, value));
    return environment;
}

} // namespace jarvis::node
