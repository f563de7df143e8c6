// make_topologies FOLDER: writes the saved topologies of the test topology_golden. Devices cannot be added by hwloc's interface,
// so they are put into what it exported.
#include <hwloc.h>

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace {

void require(bool done, const char* what)
{
    if (done)
        return;
    fmt::print(stderr, "make_topologies: {}\n", what);
    std::exit(1);
}

hwloc_topology_t load(const char* description)
{
    hwloc_topology_t topology = nullptr;
    require(hwloc_topology_init(&topology) == 0 && hwloc_topology_set_synthetic(topology, description) == 0 && hwloc_topology_load(topology) == 0,
            description);
    return topology;
}

std::string exported(hwloc_topology_t topology)
{
    char* buffer = nullptr;
    int length = 0;
    require(hwloc_topology_export_xmlbuffer(topology, &buffer, &length, 0) == 0, "cannot export");
    std::string text(buffer, std::strlen(buffer));
    hwloc_free_xmlbuffer(topology, buffer);
    hwloc_topology_destroy(topology);
    return text;
}

hwloc_obj_t numa(hwloc_topology_t topology, unsigned index)
{
    auto* found = hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, index);
    require(found != nullptr, "there is no such NUMA node");
    return found;
}

void set_distances(hwloc_topology_t topology, const std::function<hwloc_uint64_t(unsigned, unsigned)>& distance)
{
    const auto count = static_cast<unsigned>(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE));
    std::vector<hwloc_obj_t> nodes;
    std::vector<hwloc_uint64_t> values;
    for (unsigned a = 0; a < count; ++a) {
        nodes.push_back(numa(topology, a));
        for (unsigned b = 0; b < count; ++b)
            values.push_back(distance(a, b));
    }
    auto* made = hwloc_distances_add_create(topology, "NUMALatency", HWLOC_DISTANCES_KIND_FROM_OS | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
    require(made && hwloc_distances_add_values(topology, made, count, nodes.data(), values.data(), 0) == 0 &&
                hwloc_distances_add_commit(topology, made, 0) == 0,
            "cannot add distances");
}

// As measured from the cores of this PU set.
void set_speed(hwloc_topology_t topology, unsigned node, hwloc_cpuset_t from, hwloc_uint64_t mib_per_second, hwloc_uint64_t nanoseconds)
{
    hwloc_location initiator{};
    initiator.type = HWLOC_LOCATION_TYPE_CPUSET;
    initiator.location.cpuset = from;
    require(hwloc_memattr_set_value(topology, HWLOC_MEMATTR_ID_BANDWIDTH, numa(topology, node), &initiator, 0, mib_per_second) == 0 &&
                hwloc_memattr_set_value(topology, HWLOC_MEMATTR_ID_LATENCY, numa(topology, node), &initiator, 0, nanoseconds) == 0,
            "cannot set memory attributes");
}

// One PCI function with what the kernel made of it.
std::string pci(int number, const char* bus_id, const char* type, const char* model, const std::vector<std::pair<const char*, int>>& os_devices)
{
    std::string text = fmt::format("<object type=\"PCIDev\" gp_index=\"{}\" pci_busid=\"{}\" pci_type=\"{}\" pci_link_speed=\"31.5\">\n", number, bus_id, type);
    text += fmt::format("<info name=\"PCIDevice\" value=\"{}\"/>\n", model);
    for (const auto& [name, kind] : os_devices)
        text += fmt::format("<object type=\"OSDev\" gp_index=\"{}\" name=\"{}\" osdev_type=\"{}\"/>\n", ++number, name, kind);
    return text + "</object>\n";
}

std::string bridge(int number, const char* buses, const std::string& devices)
{
    return fmt::format("<object type=\"Bridge\" gp_index=\"{}\" bridge_type=\"0-1\" depth=\"0\" bridge_pci=\"{}\">\n{}</object>\n", number, buses, devices);
}

// Behind the memory of the object of this type and number.
void hang_on(std::string& xml, const std::string& type, int index, const std::string& devices)
{
    std::size_t at = 0;
    for (int i = 0; i <= index; ++i) {
        at = xml.find(fmt::format("<object type=\"{}\"", type), at + 1);
        require(at != std::string::npos, "there is no such object");
    }
    at = xml.find("<object", at + 1);
    require(at != std::string::npos, "the object has no children");
    xml.insert(at, devices);
}

// hwloc's numbers of kinds of OS devices.
constexpr int gpu = HWLOC_OBJ_OSDEV_GPU, network = HWLOC_OBJ_OSDEV_NETWORK, fabric = HWLOC_OBJ_OSDEV_OPENFABRICS;

std::string snc_gpus()
{
    auto* topology = load("pack:2 l3:1 group:4 [numa(memory=137438953472)] l2:4 core:1 pu:2");
    set_distances(topology, [](unsigned a, unsigned b) -> hwloc_uint64_t { return a == b ? 10 : a / 4 == b / 4 ? 12 : 21; });
    auto xml = exported(topology);
    const char* a100 = "GA100 [A100 SXM4 80GB]";
    hang_on(xml, "Group", 5, bridge(1010, "0000:[b0-b3]", pci(1011, "0000:b1:00.0", "0302 [10de:20b2] [10de:1463] a1", a100, {})));
    hang_on(xml, "Group", 1, bridge(1020, "0000:[30-33]",
                                    pci(1021, "0000:31:00.0", "0302 [10de:20b2] [10de:1463] a1", a100, {}) +
                                        pci(1024, "0000:32:00.0", "0207 [15b3:101b] [15b3:0007] 00", "MT28908 Family [ConnectX-6]",
                                            {{"ib0", network}, {"mlx5_0", fabric}})));
    hang_on(xml, "Machine", 0, bridge(1030, "0000:[00-04]",
                                      pci(1031, "0000:02:00.0", "0300 [1a03:2000] [15d9:1b95] 41", "ASPEED Graphics Family", {{"card0", gpu}}) +
                                          pci(1034, "0000:03:00.0", "0200 [8086:1563] [15d9:1563] 01", "Ethernet Controller X550", {{"eno1", network}})));
    hang_on(xml, "Package", 1, bridge(1040, "0000:[c0-c1]", pci(1041, "0000:c1:00.0", "0380 [1002:740f] [1002:0c34] 02",
                                                               "Aldebaran/MI200 [Instinct MI210]", {{"card1", gpu}, {"renderD128", gpu}})));
    return xml;
}

std::string hbm_cxl()
{
    auto* topology = load("[numa(memory=549755813888)] pack:2 [numa(memory=137438953472)] [numa(memory=68719476736)] l3:2 l2:4 core:1 pu:1");
    // In hwloc's order: of each package DRAM and HBM, then the memory of the machine.
    set_distances(topology, [](unsigned a, unsigned b) -> hwloc_uint64_t {
        if (a == b)
            return 10;
        if (a == 4 || b == 4)
            return 28;
        return a / 2 == b / 2 ? 13 : 21;
    });
    auto* all = hwloc_get_root_obj(topology)->cpuset;
    set_speed(topology, 4, all, 30000, 300);
    for (unsigned package = 0; package < 2; ++package) {
        auto* cores = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, package)->cpuset;
        set_speed(topology, 2 * package, cores, 120000, 100);
        set_speed(topology, 2 * package + 1, cores, 400000, 130);
    }
    return exported(topology);
}

std::string far_memory()
{
    auto* topology = load("[numa(memory=274877906944)] pack:2 [numa(memory=68719476736)] core:2 pu:1");
    set_distances(topology, [](unsigned a, unsigned b) -> hwloc_uint64_t { return a == b ? 10 : a == 2 || b == 2 ? 31 : 21; });
    return exported(topology);
}

std::string named_kinds()
{
    auto* topology = load("pack:1 [numa(memory=103079215104)] [numa(memory=17179869184)] [numa(memory=1099511627776)] l2:8 core:2 pu:4");
    numa(topology, 1)->subtype = ::strdup("MCDRAM");
    require(hwloc_obj_add_info(numa(topology, 2), "DAXType", "NVM") == 0, "cannot add an info");
    return exported(topology);
}

std::string hybrid()
{
    auto* topology = load("pack:1 [numa(memory=34359738368)] l3:1 l2:10 core:1 pu:2");
    // Two clusters of E cores without a second thread in the place of the last two P cores.
    auto* kept = hwloc_bitmap_dup(hwloc_get_root_obj(topology)->cpuset);
    auto* fast = hwloc_bitmap_alloc();
    auto* slow = hwloc_bitmap_alloc();
    hwloc_bitmap_set_range(fast, 0, 11);
    for (unsigned pu = 12; pu < 20; pu += 2) {
        hwloc_bitmap_clr(kept, pu + 1);
        hwloc_bitmap_set(slow, pu);
    }
    require(hwloc_topology_restrict(topology, kept, 0) == 0 && hwloc_cpukinds_register(topology, slow, 0, 0, nullptr, 0) == 0 &&
                hwloc_cpukinds_register(topology, fast, 1, 0, nullptr, 0) == 0,
            "cannot make kinds of cores");
    for (auto* set : {kept, fast, slow})
        hwloc_bitmap_free(set);
    return exported(topology);
}

std::string uneven()
{
    auto* topology = load("pack:2 [numa(memory=68719476736)] die:2 l3:1 l2:3 core:1 pu:2");
    auto* kept = hwloc_bitmap_dup(hwloc_get_root_obj(topology)->cpuset);
    hwloc_bitmap_clr(kept, 3);             // a thread
    hwloc_bitmap_clr_range(kept, 6, 7);    // a core
    hwloc_bitmap_clr_range(kept, 12, 17);  // a die
    require(hwloc_topology_restrict(topology, kept, 0) == 0, "cannot restrict");
    hwloc_bitmap_free(kept);
    return exported(topology);
}

std::string plain() { return exported(load("[numa(memory=0)] pu:6")); }

} // namespace

int main(int argc, char** argv)
{
    require(argc == 2, "usage: make_topologies FOLDER");
    const std::vector<std::pair<const char*, std::function<std::string()>>> all{
        {"snc_gpus", snc_gpus}, {"hbm_cxl", hbm_cxl}, {"far_memory", far_memory}, {"named_kinds", named_kinds}, {"hybrid", hybrid}, {"uneven", uneven}, {"plain", plain},
        {"pus_1024", [] { return exported(load("pack:4 l3:4 [numa(memory=68719476736)] l2:32 core:1 pu:2")); }}};
    for (const auto& [name, make] : all) {
        std::ofstream file(fmt::format("{}/{}.xml", argv[1], name));
        file << make();
        require(file.good(), name);
    }
}
