// What jnoded's discovery makes of saved topologies, against golden text. JARVIS_REWRITE_GOLDEN=1 writes the text anew.
#include "discovery.hpp"
#include "topology_text.hpp"
#include "wire/convert.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace jarvis;

BOOST_AUTO_TEST_SUITE(saved_topologies)

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> saved()
{
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(JARVIS_TOPOLOGIES))
        if (entry.path().extension() == ".xml")
            files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

std::string contents(const fs::path& path)
{
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

} // namespace

BOOST_AUTO_TEST_CASE(each_is_found_as_its_golden_text_says)
{
    const bool rewrite = std::getenv("JARVIS_REWRITE_GOLDEN") != nullptr;
    const auto files = saved();
    BOOST_TEST(files.size() >= 7u);
    for (const auto& file : files) {
        const auto found = noded::discover_topology(file.string());
        BOOST_REQUIRE_MESSAGE(found, file << ": " << (found ? "" : found.error().message));
        BOOST_TEST(!found->this_machine);
        const auto text = test::topology_text(found->topology);
        auto golden = file;
        golden.replace_extension(".txt");
        if (rewrite)
            std::ofstream(golden) << text;
        BOOST_TEST(text == contents(golden), file);
    }
}

// The controller takes them: what a node may say of itself has room for each.
BOOST_AUTO_TEST_CASE(each_passes_the_wire_unchanged)
{
    for (const auto& file : saved()) {
        const auto topology = noded::discover_topology(file.string()).value().topology;
        const auto back = wire::from_message(wire::to_message(topology));
        BOOST_REQUIRE_MESSAGE(back, file << ": " << (back ? "" : back.error().message));
        BOOST_TEST((*back == topology), file);
    }
}

BOOST_AUTO_TEST_SUITE_END()
