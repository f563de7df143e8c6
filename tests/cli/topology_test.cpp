// jnodes topo: the pictures of given nodes, against the files in golden/ (JARVIS_UPDATE_GOLDEN=1 writes them anew), and what
// holds for all of them.
#include "golden.hpp"
#include "client/topology_view.hpp"
#include "sample_topologies.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <hwloc.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace jarvis;
using namespace jarvis::client;

namespace {

const std::map<std::string, std::function<wire::NodeView()>> samples{{"laptop", laptop},
                                                                     {"two-packages", two_packages},
                                                                     {"hbm", with_hbm},
                                                                     {"without-numa", without_numa},
                                                                     {"shared-memory", shared_memory}};

NodeTopology sample(const std::string& name) { return read_topology(samples.at(name)()).value(); }

std::vector<std::vector<std::string>> all_matches(const std::string& text, const std::string& pattern)
{
    std::vector<std::vector<std::string>> found;
    const std::regex expression(pattern);
    for (auto it = std::sregex_iterator(text.begin(), text.end(), expression); it != std::sregex_iterator(); ++it)
        found.emplace_back(it->begin(), it->end());
    return found;
}

// Each tag is closed, in order.
bool is_well_formed(const std::string& xml)
{
    std::vector<std::string> open;
    for (const auto& tag : all_matches(xml, "<(/?)([A-Za-z][A-Za-z0-9]*)((?:\\s[\\w:-]+=\"[^\"<]*\")*)\\s*(/?)>")) {
        if (tag[1].empty() && tag[4].empty())
            open.push_back(tag[2]);
        else if (!tag[1].empty()) {
            if (open.empty() || open.back() != tag[2])
                return false;
            open.pop_back();
        }
    }
    const auto without_tags = std::regex_replace(xml, std::regex("<[^<>]*>"), "");
    return open.empty() && without_tags.find_first_of("<>") == std::string::npos;
}

class Hwloc {
    hwloc_topology_t topology_ = nullptr;

public:
    explicit Hwloc(const std::string& xml)
    {
        BOOST_REQUIRE(hwloc_topology_init(&topology_) == 0);
        hwloc_topology_set_io_types_filter(topology_, HWLOC_TYPE_FILTER_KEEP_ALL);
        BOOST_REQUIRE(hwloc_topology_set_xmlbuffer(topology_, xml.c_str(), static_cast<int>(xml.size() + 1)) == 0);
        BOOST_REQUIRE(hwloc_topology_load(topology_) == 0);
        hwloc_topology_check(topology_); // aborts where something is wrong
    }
    Hwloc(const Hwloc&) = delete;
    Hwloc& operator=(const Hwloc&) = delete;
    ~Hwloc() { hwloc_topology_destroy(topology_); }
    hwloc_topology_t get() const { return topology_; }
    int count(hwloc_obj_type_t type) const { return hwloc_get_nbobjs_by_type(topology_, type); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(topology)

BOOST_AUTO_TEST_CASE(as_text)
{
    for (const auto& [name, make] : samples)
        check_golden("topo-" + name + ".txt", topology_text(sample(name)));
}

BOOST_AUTO_TEST_CASE(text_is_safe_to_print)
{
    for (const auto& [name, make] : samples)
        for (unsigned char c : topology_text(sample(name)))
            BOOST_TEST((c == '\n' || c >= 0x20));
}

BOOST_AUTO_TEST_CASE(as_json)
{
    check_golden("topo-laptop.json", topology_json(sample("laptop"), 5));
    check_golden("topo-hbm.json", topology_json(sample("hbm"), 5));
    const auto big = boost::json::parse(topology_json(sample("two-packages"), 5)).as_object();
    BOOST_TEST(big.at("schema").as_string() == "jarvis.topology/1");
    BOOST_TEST(big.at("cores").as_array().size() == 256u);
    BOOST_TEST(big.at("cores").at(51).at("job").as_string() == "13_4");
    BOOST_TEST(big.at("cores").at(52).at("job").is_null());
    BOOST_TEST(big.at("devices").at(3).at("job").as_string() == "1234567_999999");
    BOOST_TEST(big.at("numa_nodes").at(0).at("held_by").as_array().size() == 2u);
}

BOOST_AUTO_TEST_CASE(as_a_picture)
{
    check_golden("topo-laptop.svg", topology_svg(sample("laptop")));
    check_golden("topo-hbm.svg", topology_svg(sample("hbm")));
    for (const auto& [name, make] : samples) {
        const auto node = sample(name);
        const auto svg = topology_svg(node);
        BOOST_TEST(is_well_formed(svg), name);
        const auto page = all_matches(svg, "<svg [^>]*width=\"(\\d+)\" height=\"(\\d+)\"").at(0);
        const int width = std::stoi(page[1]), height = std::stoi(page[2]);
        BOOST_TEST(width <= 1600, name);
        for (const auto& box : all_matches(svg, "<rect x=\"(-?\\d+)\" y=\"(-?\\d+)\" width=\"(-?\\d+)\" height=\"(-?\\d+)\"")) {
            BOOST_TEST((std::stoi(box[1]) >= 0 && std::stoi(box[3]) > 0 && std::stoi(box[1]) + std::stoi(box[3]) <= width), name << ": " << box[0]);
            BOOST_TEST((std::stoi(box[2]) >= 0 && std::stoi(box[4]) > 0 && std::stoi(box[2]) + std::stoi(box[4]) <= height), name << ": " << box[0]);
        }
        BOOST_TEST(all_matches(svg, "<title>core \\d+").size() == node.topology.cores.size());
        for (const auto& holding : node.holdings)
            BOOST_TEST(svg.find(">job " + holding.job + " (") != std::string::npos, name << ": job " << holding.job);
    }
}

BOOST_AUTO_TEST_CASE(jobs_have_colours_of_their_own)
{
    const auto svg = topology_svg(sample("two-packages"));
    std::map<std::string, std::string> colours; // by the title of a core's box
    for (const auto& box : all_matches(svg, "<title>core \\d+, PU [\\d,-]+: (job [^<]*|free)</title>\n<rect [^>]*fill=\"(#[0-9a-f]{6})\"")) {
        const auto [place, is_new] = colours.emplace(box[1], box[2]);
        BOOST_TEST((is_new || place->second == box[2]), box[1]);
    }
    std::map<std::string, std::string> jobs;
    for (const auto& [job, colour] : colours) {
        const auto [other, is_new] = jobs.emplace(colour, job);
        BOOST_TEST(is_new, job << " looks like " << other->second);
    }
    BOOST_TEST(colours.size() == 13u); // 12 jobs with cores, and what is free
}

BOOST_AUTO_TEST_CASE(as_hwloc_xml)
{
    check_golden("topo-laptop.xml", topology_xml(sample("laptop")));
    check_golden("topo-hbm.xml", topology_xml(sample("hbm")));
    for (const auto& [name, make] : samples) {
        BOOST_TEST_CONTEXT(name)
        {
            const auto node = sample(name);
            const auto xml = topology_xml(node);
            BOOST_TEST(is_well_formed(xml));
            const Hwloc hwloc(xml);
            const auto& topology = node.topology;
            BOOST_TEST(hwloc.count(HWLOC_OBJ_CORE) == static_cast<int>(topology.cores.size()));
            BOOST_TEST(hwloc.count(HWLOC_OBJ_NUMANODE) == static_cast<int>(std::max<std::size_t>(topology.numa_nodes.size(), 1)));
            BOOST_TEST(hwloc.count(HWLOC_OBJ_OS_DEVICE) == static_cast<int>(topology.devices.size()));
            for (const auto& numa : topology.numa_nodes) {
                const auto* object = hwloc_get_numanode_obj_by_os_index(hwloc.get(), numa.os_index);
                BOOST_REQUIRE(object);
                BOOST_TEST(object->attr->numanode.local_memory == static_cast<std::uint64_t>(numa.memory.bytes));
                std::set<int> pus, wanted;
                for (int pu = hwloc_bitmap_first(object->cpuset); pu >= 0; pu = hwloc_bitmap_next(object->cpuset, pu))
                    pus.insert(pu);
                // hwloc has NUMA nodes as near as the part that they hang on: those of no part of their own on the machine.
                const bool has_part = !numa.cores.empty() && numa.os_index != 8;
                for (std::uint32_t core = 0; core < topology.cores.size(); ++core)
                    if (!has_part || numa.cores.contains(core))
                        wanted.insert(topology.cores[core].pus.begin(), topology.cores[core].pus.end());
                BOOST_TEST((pus == wanted), "NUMA node " << numa.os_index);
            }
            for (const auto& core : topology.cores) {
                const auto* pu = hwloc_get_pu_obj_by_os_index(hwloc.get(), core.pus[0]);
                BOOST_REQUIRE(pu);
                BOOST_TEST(pu->parent->arity == core.pus.size());
            }
        }
    }
    const Hwloc big(topology_xml(sample("two-packages")));
    BOOST_TEST(big.count(HWLOC_OBJ_PACKAGE) == 2);
    BOOST_TEST(big.count(HWLOC_OBJ_L3CACHE) == 32);
    hwloc_distances_s* distances = nullptr;
    unsigned count = 1;
    BOOST_REQUIRE(hwloc_distances_get(big.get(), &count, &distances, 0, 0) == 0);
    BOOST_REQUIRE(count == 1u);
    BOOST_TEST(distances->values[0 * 8 + 1] == 12u);
    BOOST_TEST(distances->values[0 * 8 + 7] == 32u);
    hwloc_distances_release(big.get(), distances);
}

BOOST_AUTO_TEST_CASE(replies_that_contradict_themselves_are_refused)
{
    wire::NodeView never;
    never.set_name("n9");
    BOOST_TEST(read_topology(never).error().message == "node n9 has not told its topology yet: it has never registered");
    BOOST_TEST((read_topology(never).error().code == Errc::not_found));
    auto more_cores = without_numa();
    auto& holding = *more_cores.add_holdings();
    holding.set_job("7");
    holding.mutable_placement()->add_core_words(0x10);
    BOOST_TEST(read_topology(more_cores).error().message == "node old: job 7: cores 4 of a node that has 4");
    auto no_core = laptop();
    no_core.mutable_topology()->mutable_numa_nodes(0)->add_core_words(1);
    BOOST_TEST(read_topology(no_core).error().message.starts_with("node laptop: topology: NUMA node 0: "));
}

BOOST_AUTO_TEST_SUITE_END()
