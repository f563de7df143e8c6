#include "topology_change.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <vector>

namespace jarvis::noded {
namespace {

namespace fs = std::filesystem;

// A balloon driver moves small amounts to and fro; a DIMM or a part that a hypervisor takes is more.
constexpr std::int64_t memory_step_kib = std::int64_t{256} << 10;

std::string first_line(const fs::path& path)
{
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string line_of(const fs::path& path, std::string_view key)
{
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(key))
            return line.substr(key.size());
    return {};
}

std::int64_t number_in(std::string_view text)
{
    std::int64_t number = 0;
    if (const auto at = text.find_first_of("0123456789"); at != std::string_view::npos)
        std::from_chars(text.data() + at, text.data() + text.size(), number);
    return number;
}

template <class T, class Same>
std::size_t common_length(const std::vector<T>& a, const std::vector<T>& b, Same same)
{
    std::size_t length = 0;
    while (length < std::min(a.size(), b.size()) && same(a[length], b[length]))
        ++length;
    return length;
}

void cut_distances(Topology& topology, std::size_t numa_nodes)
{
    const auto before = topology.numa_nodes.size();
    if (topology.distances.empty() || numa_nodes == before)
        return;
    std::vector<std::uint32_t> cut;
    for (std::size_t a = 0; a < numa_nodes; ++a)
        for (std::size_t b = 0; b < numa_nodes; ++b)
            cut.push_back(topology.distances[a * before + b]);
    topology.distances = std::move(cut);
}

} // namespace

std::string machine_signature(const fs::path& root)
{
    const fs::path system = root / "sys/devices/system";
    std::string text = first_line(system / "cpu/online") + '\n' + first_line(system / "node/online") + '\n';
    text += line_of(root / "proc/self/status", "Cpus_allowed_list:") + line_of(root / "proc/self/status", "Mems_allowed_list:");
    text += fmt::format("\n{}\n", number_in(line_of(root / "proc/meminfo", "MemTotal:")) / memory_step_kib);
    std::set<std::string> devices;
    std::error_code error;
    for (fs::directory_iterator entry(root / "sys/bus/pci/devices", error), end; !error && entry != end; entry.increment(error))
        devices.insert(entry->path().filename().string());
    for (const auto& device : devices)
        text += device + ' ';
    return text;
}

Kept keep_indexes(const Topology& known, Topology fresh)
{
    const auto cores = common_length(known.cores, fresh.cores, [](const Core& a, const Core& b) { return a.pus == b.pus; });
    const auto numa_nodes =
        common_length(known.numa_nodes, fresh.numa_nodes, [](const NumaNode& a, const NumaNode& b) { return a.os_index == b.os_index; });
    const auto devices = common_length(known.devices, fresh.devices, [](const Device& a, const Device& b) {
        return a.resource == b.resource && a.address == b.address;
    });
    Kept kept;
    // What is new behind all that was there moves nothing.
    if (cores < known.cores.size()) {
        kept.more = static_cast<std::uint32_t>(fresh.cores.size() - cores);
        const auto dropped = CoreSet::range(static_cast<std::uint32_t>(cores), kept.more);
        fresh.cores.resize(cores);
        for (auto& numa : fresh.numa_nodes)
            numa.cores -= dropped;
        for (auto& device : fresh.devices)
            device.near -= dropped;
    }
    if (numa_nodes < known.numa_nodes.size()) {
        cut_distances(fresh, numa_nodes);
        fresh.numa_nodes.resize(numa_nodes);
    }
    if (devices < known.devices.size())
        fresh.devices.resize(devices);
    kept.topology = std::move(fresh);
    return kept;
}

} // namespace jarvis::noded
