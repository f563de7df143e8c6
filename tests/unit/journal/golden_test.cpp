// The stored format as it is on disks out there. What these files hold must stay readable for ever; that today's bytes
// are those bytes says that nothing changed by accident. A line that changes is a change of the format: see format.hpp,
// and rather add an event than change one. To write the files anew: JARVIS_WRITE_GOLDEN=1 test_unit_journal -t golden
#include "values.hpp"

#include "cluster/apply.hpp"
#include "journal/codec.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace jarvis;
using namespace jarvis::journal::test;

namespace {

std::string unhex(const std::string& text)
{
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
}

// "name hex" each.
using Lines = std::vector<std::pair<std::string, std::string>>;

Lines golden_lines(const std::string& file, const Lines& today)
{
    const auto path = std::string(JARVIS_GOLDEN_DIR "/") + file;
    if (std::getenv("JARVIS_WRITE_GOLDEN") && !today.empty()) {
        std::ofstream out(path);
        for (const auto& [name, text] : today)
            out << name << ' ' << text << '\n';
    }
    std::ifstream in(path);
    BOOST_REQUIRE_MESSAGE(in, path << " cannot be read");
    Lines lines;
    for (std::string name, text; in >> name >> text;)
        lines.emplace_back(name, text);
    return lines;
}

// By file.
std::vector<std::pair<std::string, Lines>> groups_today()
{
    std::vector<std::pair<std::string, Lines>> files;
    const auto groups = groups_of(history());
    std::size_t next = 0;
    for (const auto& part : history_parts()) {
        Lines lines;
        for (const auto& named : part.events)
            lines.emplace_back(named.name, hex(journal::encode_group(groups[next++])));
        files.emplace_back(part.file, std::move(lines));
    }
    return files;
}

// One line for each record, length and all.
Lines snapshot_today()
{
    std::string bytes;
    auto written = journal::encode_snapshot(full_state(), [&](std::string_view piece) {
        bytes += piece;
        return Result<void>{};
    });
    BOOST_REQUIRE(written);
    Lines lines;
    for (std::size_t at = 0; at < bytes.size();) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < 4; ++i)
            size = size << 8 | static_cast<unsigned char>(bytes[at + i]);
        lines.emplace_back(fmt::format("record_{}", lines.size()), hex(std::string_view(bytes).substr(at, size + 4)));
        at += size + 4;
    }
    return lines;
}

void check_same(const Lines& stored, const Lines& today)
{
    BOOST_TEST(stored.size() == today.size());
    for (std::size_t i = 0; i < std::min(stored.size(), today.size()); ++i) {
        BOOST_TEST(stored[i].first == today[i].first);
        BOOST_TEST(stored[i].second == today[i].second, stored[i].first << " is encoded differently:\n" << stored[i].second << "\n" << today[i].second);
    }
}

cluster::State read_snapshot(const Lines& lines)
{
    journal::SnapshotReader reader;
    for (const auto& [name, text] : lines) {
        auto fed = reader.feed(unhex(text));
        BOOST_REQUIRE_MESSAGE(fed, name << ": " << fed.error().message);
    }
    auto state = reader.finish();
    BOOST_REQUIRE(state);
    return std::move(*state);
}

} // namespace

BOOST_AUTO_TEST_SUITE(golden)

BOOST_AUTO_TEST_CASE(groups_are_encoded_as_ever)
{
    for (const auto& [file, lines] : groups_today())
        check_same(golden_lines(file, lines), lines);
}

BOOST_AUTO_TEST_CASE(stored_groups_are_read_as_ever)
{
    cluster::State state;
    for (const auto& [file, lines] : groups_today())
        for (const auto& [name, text] : golden_lines(file, lines)) {
            auto group = journal::decode_group(unhex(text));
            BOOST_REQUIRE_MESSAGE(group, name << ": " << group.error().message);
            for (const auto& event : group->events) {
                auto fits = journal::check_event(state, event);
                BOOST_REQUIRE_MESSAGE(fits, name << ": " << fits.error().message);
            }
            apply(state, *group);
        }
    BOOST_TEST((state == full_state()));
}

BOOST_AUTO_TEST_CASE(snapshots_are_encoded_as_ever)
{
    check_same(golden_lines("snapshot_0_2.hex", snapshot_today()), snapshot_today());
}

BOOST_AUTO_TEST_CASE(stored_snapshots_are_read_as_ever)
{
    BOOST_TEST((read_snapshot(golden_lines("snapshot_0_2.hex", snapshot_today())) == full_state()));
}

BOOST_AUTO_TEST_CASE(snapshots_of_0_1_are_read_as_ever)
{
    auto state = state_of_0_1();
    for (auto& node : state.nodes)
        node.since = {}; // was not yet known
    cluster::rebuild_derived(state);
    BOOST_TEST((read_snapshot(golden_lines("snapshot.hex", {})) == state));
}

BOOST_AUTO_TEST_SUITE_END()
