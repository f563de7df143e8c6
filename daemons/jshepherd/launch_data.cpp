#include "launch_data.hpp"

#include <string_view>
#include <sys/resource.h>
#include <utility>

namespace jarvis::shepherd {
namespace {

constexpr std::pair<std::string_view, int> limit_numbers[] = {
    {"AS", RLIMIT_AS},           {"CORE", RLIMIT_CORE},         {"CPU", RLIMIT_CPU},
    {"DATA", RLIMIT_DATA},       {"FSIZE", RLIMIT_FSIZE},       {"LOCKS", RLIMIT_LOCKS},
    {"MEMLOCK", RLIMIT_MEMLOCK}, {"MSGQUEUE", RLIMIT_MSGQUEUE}, {"NICE", RLIMIT_NICE},
    {"NOFILE", RLIMIT_NOFILE},   {"NPROC", RLIMIT_NPROC},       {"RSS", RLIMIT_RSS},
    {"RTPRIO", RLIMIT_RTPRIO},   {"RTTIME", RLIMIT_RTTIME},     {"SIGPENDING", RLIMIT_SIGPENDING},
    {"STACK", RLIMIT_STACK},
};

const char* text_or_null(const std::string& text)
{
    return text.empty() ? nullptr : text.c_str();
}

} // namespace

int limit_number(std::string_view name)
{
    for (const auto& [known, number] : limit_numbers)
        if (known == name)
            return number;
    return -1;
}

LaunchData::LaunchData(const wire::LaunchOrder& order, std::string cgroup, int cgroup_fd) : cgroup_(std::move(cgroup))
{
    argv_.reserve(static_cast<std::size_t>(order.arguments_size()) + 2);
    argv_.push_back(order.script_path().c_str());
    for (const auto& argument : order.arguments())
        argv_.push_back(argument.c_str());
    argv_.push_back(nullptr);
    envp_.reserve(static_cast<std::size_t>(order.environment_size()) + 1);
    for (const auto& variable : order.environment())
        envp_.push_back(variable.c_str());
    envp_.push_back(nullptr);
    // A limit that this kernel does not know is jnoded's error, which it has told at its start.
    for (const auto& limit : order.limits())
        if (const int number = limit_number(limit.name()); number >= 0)
            limits_.push_back({.resource = number, .reserved = 0, .soft = limit.soft(), .hard = limit.hard()});

    launch_.struct_size = sizeof launch_;
    launch_.flags = (order.append() ? JARVIS_LAUNCH_APPEND : 0) | (order.confined() ? JARVIS_LAUNCH_CONFINED : 0);
    launch_.job_id = order.job_id();
    launch_.incarnation = order.incarnation();
    launch_.umask = order.umask();
    launch_.uid = order.account().uid();
    launch_.gid = order.account().gid();
    launch_.groups = order.account().groups().data();
    launch_.group_count = static_cast<std::uint32_t>(order.account().groups_size());
    launch_.pus = order.pus().data();
    launch_.pu_count = static_cast<std::uint32_t>(order.pus_size());
    launch_.program = order.script_path().c_str();
    launch_.argv = argv_.data();
    launch_.envp = envp_.data();
    launch_.working_directory = order.working_directory().c_str();
    launch_.input_path = text_or_null(order.input_path());
    launch_.output_path = text_or_null(order.output_path());
    launch_.error_path = text_or_null(order.error_path());
    launch_.temporary_folder = text_or_null(order.temporary_folder());
    launch_.job_folder = order.job_folder().c_str();
    launch_.limits = limits_.data();
    launch_.limit_count = static_cast<std::uint32_t>(limits_.size());
    launch_.limit_size = sizeof(jarvis_rlimit);
    launch_.cgroup = text_or_null(cgroup_);
    launch_.cgroup_fd = cgroup_fd;
    launch_.numa_nodes = order.numa_nodes().data();
    launch_.numa_node_count = static_cast<std::uint32_t>(order.numa_nodes_size());
    launch_.memory_policy = order.memory_policy();
    launch_.policy_nodes = order.policy_nodes().data();
    launch_.policy_node_count = static_cast<std::uint32_t>(order.policy_nodes_size());
}

} // namespace jarvis::shepherd
