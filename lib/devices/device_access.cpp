#include "devices/device_access.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace jarvis::devices {
namespace {

// What systemd's DevicePolicy=closed leaves open, and FUSE, without which no ordinary user mounts a container's image. Numbers as in
// the kernel's Documentation/admin-guide/devices.txt.
constexpr std::array common_rules{
    Rule{Kind::character, 1, 3, true},   // null
    Rule{Kind::character, 1, 5, true},   // zero
    Rule{Kind::character, 1, 7, true},   // full
    Rule{Kind::character, 1, 8, true},   // random
    Rule{Kind::character, 1, 9, true},   // urandom
    Rule{Kind::character, 5, 0, true},   // tty
    Rule{Kind::character, 5, 2, true},   // ptmx
    Rule{Kind::character, 10, 229, true} // fuse
};
// The ends of pseudo terminals, /dev/pts/*: majors 136 to 143.
constexpr std::uint32_t first_terminal_major = 136;
constexpr std::uint32_t last_terminal_major = 143;

void add_rules(const std::vector<std::string>& paths, bool allowed, std::vector<Rule>& rules)
{
    const auto begin = rules.size();
    for (const auto& path : paths) {
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0 || !(S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)))
            continue;
        rules.push_back({.kind = S_ISCHR(status.st_mode) ? Kind::character : Kind::block,
                         .major = major(status.st_rdev),
                         .minor = minor(status.st_rdev),
                         .allowed = allowed});
    }
    const auto from = rules.begin() + static_cast<std::ptrdiff_t>(begin);
    std::sort(from, rules.end());
    rules.erase(std::unique(from, rules.end()), rules.end());
}

long call(bpf_cmd command, bpf_attr& attributes) { return ::syscall(SYS_bpf, command, &attributes, sizeof attributes); }

template <class Pointer>
std::uint64_t address(Pointer* pointer)
{
    return reinterpret_cast<std::uintptr_t>(pointer);
}

Result<std::uint32_t> id_of(const Fd& program)
{
    bpf_prog_info info{};
    bpf_attr attributes{};
    attributes.info.bpf_fd = static_cast<std::uint32_t>(program.get());
    attributes.info.info_len = sizeof info;
    attributes.info.info = address(&info);
    if (call(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0)
        return std::unexpected(system_error(errno, "cannot look at a device program"));
    return info.id;
}

Result<std::vector<std::uint32_t>> programs_of(const Fd& group)
{
    std::vector<std::uint32_t> ids(64); // BPF_CGROUP_MAX_PROGS: a group has no more
    bpf_attr attributes{};
    attributes.query.target_fd = static_cast<std::uint32_t>(group.get());
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = address(ids.data());
    attributes.query.prog_cnt = static_cast<std::uint32_t>(ids.size());
    if (call(BPF_PROG_QUERY, attributes) != 0)
        return std::unexpected(system_error(errno, "cannot ask for a cgroup's device programs"));
    ids.resize(std::min<std::size_t>(attributes.query.prog_cnt, ids.size()));
    return ids;
}

Result<Fd> open_group(const std::string& path)
{
    Fd group(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!group)
        return std::unexpected(system_error(errno, "cannot open cgroup " + path));
    return group;
}

} // namespace

Policy policy_of(const Access& access)
{
    Policy policy{.rules = {}, .otherwise = !access.strict};
    add_rules(access.given, true, policy.rules);
    if (!access.strict) {
        add_rules(access.withheld, false, policy.rules);
        return policy;
    }
    policy.rules.insert(policy.rules.end(), common_rules.begin(), common_rules.end());
    for (auto number = first_terminal_major; number <= last_terminal_major; ++number)
        policy.rules.push_back({.kind = Kind::character, .major = number, .minor = {}, .allowed = true});
    return policy;
}

Result<Program> Program::load(const Policy& policy)
{
    const auto code = instructions(policy);
    constexpr std::string_view name = "jarvis_devices"; // for bpftool; the kernel takes 15 letters
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = address(code.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(code.size());
    attributes.license = address("");
    std::memcpy(attributes.prog_name, name.data(), name.size());
    Program program;
    program.fd_ = Fd(static_cast<int>(call(BPF_PROG_LOAD, attributes)));
    if (!program.fd_)
        return std::unexpected(system_error(errno, "cannot load a device program"));
    auto id = id_of(program.fd_);
    if (!id)
        return std::unexpected(id.error());
    program.id_ = *id;
    return program;
}

Result<void> Program::attach(const std::string& path) const
{
    const auto group = open_group(path);
    if (!group)
        return std::unexpected(group.error());
    bpf_attr attributes{};
    attributes.target_fd = static_cast<std::uint32_t>(group->get());
    attributes.attach_bpf_fd = static_cast<std::uint32_t>(fd_.get());
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (call(BPF_PROG_ATTACH, attributes) != 0)
        return std::unexpected(system_error(errno, "cannot attach a device program"));
    const auto attached = programs_of(*group);
    if (!attached)
        return std::unexpected(attached.error());
    if (std::ranges::find(*attached, id_) == attached->end())
        return fail(Errc::corrupt, "device program {} is not attached, and the kernel said that it is", id_);
    return {};
}

Result<std::vector<std::uint32_t>> attached_programs(const std::string& path)
{
    const auto group = open_group(path);
    if (!group)
        return std::unexpected(group.error());
    return programs_of(*group);
}

std::string missing_program(const std::string& group, std::uint32_t id)
{
    const auto attached = attached_programs(group);
    if (attached && std::ranges::find(*attached, id) != attached->end())
        return {};
    if (::access(group.c_str(), F_OK) != 0 && errno == ENOENT)
        return {};
    return attached ? fmt::format("device program {} was attached to {}, and is not there any more", id, group) : attached.error().message;
}

} // namespace jarvis::devices
