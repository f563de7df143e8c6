// jnodes topo --xml: a topology as hwloc 2 writes it (hwloc2.dtd), so that lstopo and all that reads hwloc's files can take it.
// Written by hand: a command that linked hwloc would take several times as long to start.
#include "base/escape.hpp"
#include "client/topology_view.hpp"

#include <algorithm>

namespace jarvis::client {

namespace {

using Kind = TopologyPart::Kind;

// hwloc_bitmap_snprintf: words of 32 bits, the highest first.
std::string bitmap(const CoreSet& set)
{
    std::string result;
    const auto& words = set.words();
    for (std::size_t i = words.size(); i-- > 0;)
        for (const auto word : {static_cast<std::uint32_t>(words[i] >> 32), static_cast<std::uint32_t>(words[i])})
            if (!result.empty() || word != 0)
                result += fmt::format("{}0x{:08x}", result.empty() ? "" : ",", word);
    return result.empty() ? "0x0" : result;
}

class XmlWriter {
    const NodeTopology& node_;
    std::string xml_;
    std::uint64_t next_id_ = 1; // gp_index: unique in the file
    std::size_t depth_ = 1;

    void line(std::string_view text) { xml_ += fmt::format("{:{}}{}\n", "", depth_ * 2, text); }
    void info(std::string_view name, std::string_view value)
    {
        line(fmt::format("<info name=\"{}\" value=\"{}\"/>", name, escape_for_xml(value)));
    }

    CoreSet pus(const CoreSet& cores) const
    {
        CoreSet set;
        cores.for_each([&](std::uint32_t core) {
            for (auto pu : node_.topology.cores[core].pus)
                set.insert(pu);
        });
        return set;
    }

    static std::string sets(const CoreSet& cpus, const CoreSet& numa)
    {
        const auto cpuset = bitmap(cpus), nodeset = bitmap(numa);
        return fmt::format("cpuset=\"{0}\" complete_cpuset=\"{0}\" nodeset=\"{1}\" complete_nodeset=\"{1}\"", cpuset, nodeset);
    }

    void open(std::string_view type, std::string_view attributes)
    {
        line(fmt::format("<object type=\"{}\" {} gp_index=\"{}\">", type, attributes, next_id_++));
        ++depth_;
    }
    void close()
    {
        --depth_;
        line("</object>");
    }

    // By the kernel's numbers, as all sets of NUMA nodes.
    CoreSet numa_within(const TopologyPart& part) const
    {
        CoreSet set;
        for (auto index : part.numa)
            set.insert(node_.topology.numa_nodes[index].os_index);
        for (const auto& child : part.children)
            set |= numa_within(child);
        return set;
    }
    // What a part hands on to all that is in it.
    CoreSet numa_with_cores(const TopologyPart& part) const
    {
        CoreSet set;
        for (auto index : part.numa)
            if (!node_.is_memory_only(index))
                set.insert(node_.topology.numa_nodes[index].os_index);
        return set;
    }

    // hwloc has it as near as the part that it hangs on.
    void numa(std::uint32_t index, const TopologyPart& part)
    {
        const auto& numa = node_.topology.numa_nodes[index];
        CoreSet self;
        self.insert(numa.os_index);
        open("NUMANode", fmt::format("os_index=\"{}\" {} local_memory=\"{}\"{}", numa.os_index, sets(pus(part.cores), self), numa.memory.bytes,
                                     numa.kind == MemoryKind::hbm ? " subtype=\"HBM\"" : ""));
        for (const auto& [holder, memory] : node_.memory_holders(index))
            info("JarvisHeld", fmt::format("{} {}", node_.holdings[holder].job, memory.bytes));
        close();
    }

    void core(std::uint32_t index, const CoreSet& numa)
    {
        CoreSet self;
        self.insert(index);
        open("Core", sets(pus(self), numa));
        info("JarvisCore", fmt::format("{}", index));
        if (const auto holder = node_.core_holder[index])
            info("JarvisJob", node_.holdings[*holder].job);
        for (auto pu : node_.topology.cores[index].pus) {
            CoreSet one;
            one.insert(pu);
            line(fmt::format("<object type=\"PU\" os_index=\"{}\" {} gp_index=\"{}\"/>", pu, sets(one, numa), next_id_++));
        }
        close();
    }

    void device(std::size_t index)
    {
        const auto& device = node_.topology.devices[index];
        constexpr int gpu = 1, network = 2, coprocessor = 5; // hwloc_obj_osdev_type_e
        const int type = device.resource == "gpu" ? gpu : device.resource == "nic" ? network : coprocessor;
        open("OSDev", fmt::format("name=\"{}\" subtype=\"{}\" osdev_type=\"{}\"", escape_for_xml(device.address),
                                  escape_for_xml(device.resource), type));
        if (!device.type.empty())
            info("JarvisType", device.type);
        if (const auto holder = node_.device_holder[index])
            info("JarvisJob", node_.holdings[*holder].job);
        close();
    }

    // Cores that are in no smaller part, and the parts, in the order of cores.
    void inside(const TopologyPart& part, const CoreSet& numa)
    {
        CoreSet own = part.cores;
        for (const auto& child : part.children)
            own -= child.cores;
        auto child = part.children.begin();
        own.for_each([&](std::uint32_t index) {
            const auto before = CoreSet::range(0, index);
            for (; child != part.children.end() && child->cores.intersects(before); ++child)
                object(*child, numa);
            core(index, numa);
        });
        for (; child != part.children.end(); ++child)
            object(*child, numa);
    }

    static std::string_view type_of(Kind kind)
    {
        switch (kind) {
        case Kind::machine: return "Machine";
        case Kind::package: return "Package";
        case Kind::die: return "Die";
        case Kind::group: return "Group";
        case Kind::l3: return "L3Cache";
        }
        return "Group";
    }

    void object(const TopologyPart& part, const CoreSet& inherited)
    {
        const auto handed_on = inherited | numa_with_cores(part);
        auto attributes = sets(pus(part.cores), inherited | numa_within(part));
        if (part.kind == Kind::l3) // how large it is, nobody has told
            attributes += " cache_size=\"0\" depth=\"3\" cache_linesize=\"0\" cache_associativity=\"0\" cache_type=\"0\"";
        if (part.kind == Kind::group)
            attributes += " kind=\"0\" subkind=\"0\"";
        open(type_of(part.kind), attributes);
        for (auto index : part.numa)
            numa(index, part);
        inside(part, handed_on);
        close();
    }

    void machine()
    {
        const auto& machine = node_.machine;
        auto handed_on = numa_with_cores(machine), all = numa_within(machine);
        const auto cpus = pus(machine.cores);
        // hwloc wants one NUMA node at least; where it knows of none itself, it makes one of an unknown size.
        const bool none = node_.topology.numa_nodes.empty();
        if (none)
            handed_on = all = CoreSet::range(0, 1);
        open("Machine", fmt::format("os_index=\"0\" {} allowed_cpuset=\"{}\" allowed_nodeset=\"{}\"", sets(cpus, all), bitmap(cpus),
                                    bitmap(all)));
        info("HostName", node_.name);
        info("Backend", "Jarvis");
        if (none)
            line(fmt::format("<object type=\"NUMANode\" os_index=\"0\" {} gp_index=\"{}\"/>", sets(cpus, all), next_id_++));
        for (auto index : machine.numa)
            numa(index, machine);
        inside(machine, handed_on);
        for (std::size_t i = 0; i < node_.topology.devices.size(); ++i)
            device(i);
        close();
    }

    void array(std::string_view name, const std::vector<std::string>& values)
    {
        const auto text = fmt::format("{} ", fmt::join(values, " "));
        line(fmt::format("  <{0} length=\"{1}\">{2}</{0}>", name, text.size(), text));
    }

    void distances()
    {
        const auto count = node_.topology.numa_nodes.size();
        if (node_.topology.distances.empty() || count < 2)
            return;
        constexpr int from_os_latency = 1 | 4; // HWLOC_DISTANCES_KIND_FROM_OS, _MEANS_LATENCY
        line(fmt::format("<distances2 type=\"NUMANode\" nbobjs=\"{}\" kind=\"{}\" name=\"NUMALatency\" indexing=\"os\">", count,
                         from_os_latency));
        std::vector<std::string> indexes, values;
        for (const auto& numa : node_.topology.numa_nodes)
            indexes.push_back(std::to_string(numa.os_index));
        for (const auto value : node_.topology.distances)
            values.push_back(std::to_string(value));
        array("indexes", indexes);
        array("u64values", values);
        line("</distances2>");
    }

public:
    explicit XmlWriter(const NodeTopology& node) : node_(node) {}

    std::string run()
    {
        xml_ = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">\n";
        machine();
        distances();
        return xml_ + "</topology>\n";
    }
};

} // namespace

std::string topology_xml(const NodeTopology& node) { return XmlWriter(node).run(); }

} // namespace jarvis::client
