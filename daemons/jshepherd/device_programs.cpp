#include "device_programs.hpp"

namespace jarvis::shepherd {
namespace {

// Each holds a page or two of the kernel's memory. There are as many as there are sets of devices that jobs get at the same time.
constexpr std::size_t most_programs = 64;

devices::Access access_of(const wire::DeviceFiles& files)
{
    return {.given = {files.given().begin(), files.given().end()},
            .withheld = {files.withheld().begin(), files.withheld().end()},
            .strict = files.strict()};
}

std::string key_of(const devices::Policy& policy)
{
    const auto code = devices::instructions(policy);
    return {reinterpret_cast<const char*>(code.data()), code.size() * sizeof code.front()};
}

} // namespace

DeviceProgram DevicePrograms::program_for(const wire::LaunchOrder& order)
{
    if (!order.has_devices() || order.cgroup().empty())
        return nullptr;
    const auto policy = devices::policy_of(access_of(order.devices()));
    auto key = key_of(policy);
    if (const auto found = loaded_.find(key); found != loaded_.end())
        return &found->second;
    auto program = devices::Program::load(policy);
    if (!program)
        return std::unexpected(program.error());
    if (loaded_.size() >= most_programs)
        loaded_.clear(); // jobs keep theirs: their groups hold them
    return &loaded_.emplace(std::move(key), std::move(*program)).first->second;
}

} // namespace jarvis::shepherd
