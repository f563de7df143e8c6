// Every plugin of the tree passes the conformance tests of its kind; and what is particular to sqlite.
#include "plugin/auth.hpp"
#include "plugin/conformance.hpp"
#include "support.hpp"

#include <chrono>
#include <fstream>

#include <sqlite3.h>
#include <sys/stat.h>

using namespace jarvis;
using namespace jarvis::plugin;

namespace {

void conforms(std::string_view kind, std::string_view name)
{
    const Folder folder(name);
    int passed = 0;
    const CheckListener listener{
        .begin = [](std::string_view) {},
        .passed = [&](std::string_view) { ++passed; },
        .failed = [](std::string_view check,
                     std::string_view why) { BOOST_ERROR(std::string(check) + ": " + std::string(why)); },
    };
    check_plugin(kind, {.file = plugin_file(PLUGINS, kind, name)}, folder.path(), listener);
    BOOST_TEST(passed > 1);
}

void run_sql(const std::string& file, const char* sql)
{
    sqlite3* database = nullptr;
    BOOST_REQUIRE(sqlite3_open(file.c_str(), &database) == SQLITE_OK);
    BOOST_TEST(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
}

} // namespace

BOOST_AUTO_TEST_CASE(sqlite_conforms)
{
    conforms("storage", "sqlite");
}

BOOST_AUTO_TEST_CASE(memory_conforms)
{
    conforms("storage", "memory");
}

BOOST_AUTO_TEST_CASE(peercred_and_fifo_conform)
{
    conforms("auth", "peercred");
    conforms("policy", "fifo");
}

BOOST_AUTO_TEST_CASE(memory_keeps_a_reserve)
{
    const Folder folder("capacity");
    auto storage = load_storage("memory", {{"capacity", "1K"}, {"reserve", "200K"}});
    open(*storage, folder.path()); // all of it is reserve
    BOOST_TEST((storage->status().condition == StorageCondition::reserve));
    BOOST_TEST((append(*storage, 1, "submit").outcome == AppendOutcome::refused));
    BOOST_TEST(static_cast<bool>(append(*storage, 1, "end", true)));
    BOOST_TEST((append(*storage, 2, std::string(1024, 'e'), true).outcome == AppendOutcome::refused));
}

BOOST_AUTO_TEST_CASE(sqlite_refuses_a_newer_format_and_names_both)
{
    const Folder folder("format");
    auto storage = load_storage("sqlite");
    open(*storage, folder.path());
    BOOST_TEST(static_cast<bool>(append(*storage, 1, "one")));
    storage->close();
    run_sql(folder.path() + "/journal.db", "PRAGMA user_version = 42");
    const auto opened = storage->open(folder.path());
    BOOST_REQUIRE(!opened);
    BOOST_TEST((opened.error().code == Errc::invalid));
    BOOST_TEST(opened.error().message.find("format 42") != std::string::npos, opened.error().message);
    BOOST_TEST(opened.error().message.find("up to 1") != std::string::npos, opened.error().message);
}

BOOST_AUTO_TEST_CASE(sqlite_notices_changed_bytes)
{
    const Folder folder("damage");
    auto storage = load_storage("sqlite");
    open(*storage, folder.path());
    for (std::uint64_t i = 1; i <= 10; ++i)
        BOOST_TEST(static_cast<bool>(append(*storage, i, "group")));
    storage->close();
    run_sql(folder.path() + "/journal.db", "UPDATE groups SET data = x'00' WHERE sequence = 5");
    open(*storage, folder.path());
    int seen = 0;
    const auto read = storage->read(SequenceNumber{1}, [&](SequenceNumber, std::string_view) { return ++seen > 0; });
    BOOST_REQUIRE(!read);
    BOOST_TEST((read.error().code == Errc::corrupt));
    BOOST_TEST(read.error().message.find("group 5") != std::string::npos, read.error().message);
    BOOST_TEST(seen == 4);
    storage->close();
    run_sql(folder.path() + "/journal.db", "DELETE FROM groups WHERE sequence = 5");
    open(*storage, folder.path());
    const auto gap = storage->read(SequenceNumber{1}, [](SequenceNumber, std::string_view) { return true; });
    BOOST_REQUIRE(!gap);
    BOOST_TEST((gap.error().code == Errc::corrupt));
}

BOOST_AUTO_TEST_CASE(sqlite_notices_a_damaged_snapshot)
{
    const Folder folder("snapshot");
    auto storage = load_storage("sqlite");
    open(*storage, folder.path());
    auto writer = storage->begin_snapshot(SequenceNumber{7});
    BOOST_REQUIRE(writer.has_value());
    BOOST_TEST(writer->write(std::string(100000, 's')).has_value());
    BOOST_TEST(writer->commit().has_value());
    const std::string file = folder.path() + "/snapshots/00000000000000000007.snapshot";
    BOOST_REQUIRE(std::filesystem::exists(file));
    {
        std::fstream damage(file, std::ios::in | std::ios::out | std::ios::binary);
        damage.seekp(5000);
        damage << 'x';
    }
    const auto damaged = storage->read_snapshot(SequenceNumber{7});
    BOOST_REQUIRE(!damaged);
    BOOST_TEST((damaged.error().code == Errc::corrupt));
    std::filesystem::resize_file(file, 3000);
    const auto cut = storage->read_snapshot(SequenceNumber{7});
    BOOST_REQUIRE(!cut);
    BOOST_TEST((cut.error().code == Errc::corrupt));
    BOOST_TEST(storage->snapshots()->size() == 1u);
}

BOOST_AUTO_TEST_CASE(sqlite_keeps_its_files_to_itself)
{
    const Folder folder("modes");
    auto storage = load_storage("sqlite");
    open(*storage, folder.path());
    BOOST_TEST(static_cast<bool>(append(*storage, 1, "one")));
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder.path())) {
        struct stat facts {};
        BOOST_REQUIRE(::stat(file.path().c_str(), &facts) == 0);
        BOOST_TEST((facts.st_mode & 077) == 0u, file.path().string() << " can be read by others");
    }
}

// No measurement, but a guard against something quadratic: it takes a tenth of the deadline on a slow machine.
BOOST_AUTO_TEST_CASE(sqlite_is_quick_for_many_groups_and_many_rows)
{
    using Clock = std::chrono::steady_clock;
    const Folder folder("speed");
    auto storage = load_storage("sqlite");
    open(*storage, folder.path());
    const auto begin = Clock::now();
    const std::string data(200, 'g');
    for (std::uint64_t batch = 0; batch < 200; ++batch) {
        std::vector<Group> groups;
        for (std::uint64_t i = 1; i <= 64; ++i)
            groups.push_back({SequenceNumber{batch * 64 + i}, data, {}, false});
        BOOST_REQUIRE(static_cast<bool>(storage->append(groups)));
    }
    const auto appended = Clock::now();
    std::vector<HistoryRow> rows;
    for (std::uint64_t job = 1; job <= 200000; ++job)
        rows.push_back({.sequence = SequenceNumber{1 + job / 100},
                        .job = JobId{job},
                        .incarnation = Incarnation{1},
                        .uid = static_cast<std::uint32_t>(job % 50),
                        .state = JobState::completed,
                        .user = "user",
                        .submitted = WallTime(std::chrono::seconds(job)),
                        .started = WallTime(std::chrono::seconds(job + 1)),
                        .ended = WallTime(std::chrono::seconds(job + 2)),
                        .record = data});
    BOOST_REQUIRE(storage->apply_history(SequenceNumber{5000}, rows).has_value());
    const auto applied = Clock::now();
    std::vector<std::uint64_t> ids;
    for (std::uint64_t i = 1; i <= 1000; ++i)
        ids.push_back(i * 197);
    int found = 0;
    BOOST_REQUIRE(storage->query_history({.jobs = ids}, [&](const HistoryRow&) { return ++found > 0; }).has_value());
    const auto queried = Clock::now();
    BOOST_TEST(found == 1000);
    const auto ms = [](auto duration) {
        return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    };
    BOOST_TEST_MESSAGE("12800 groups in 200 appends: "
                       << ms(appended - begin) << " ms; 200000 history rows: " << ms(applied - appended)
                       << " ms; 1000 of them by id: " << ms(queried - applied) << " ms");
    BOOST_TEST(ms(queried - begin) < 60000);
}
