// What a bad disk does: refused, unknown, and well again. The disk is bad by the tests' VFS, and full on a small tmpfs.
#include "support.hpp"

#include <cstdlib>
#include <fstream>

#include <sys/mount.h>

using namespace jarvis;
using namespace jarvis::plugin;

namespace {

// A storage over the failing VFS, with the file that commands it.
struct BadDisk {
    Folder folder;
    std::string control;
    std::unique_ptr<Storage> storage;

    explicit BadDisk(std::string_view name) : folder(name), control(folder.path() + "/control")
    {
        set("ok");
        ::setenv("JARVIS_FAILING_VFS", control.c_str(), 1);
        std::filesystem::create_directories(state());
        storage = load_storage("sqlite", {{"vfs", "failing"}, {"vfs_module", FAILING_VFS}});
        open(*storage, state());
    }
    std::string state() const { return folder.path() + "/state"; }
    void set(std::string_view mode) { std::ofstream(control) << mode << '\n'; }
    void reopen()
    {
        storage->close();
        open(*storage, state());
    }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_disk_that_fails_and_gets_well)
{
    for (const auto* mode : {"eio", "readonly", "enospc"}) {
        BOOST_TEST_CONTEXT(mode)
        {
            BadDisk disk(mode);
            BOOST_REQUIRE(static_cast<bool>(append(*disk.storage, 1, "one")));
            disk.set(mode);
            const auto failed = append(*disk.storage, 2, "two");
            BOOST_TEST(!failed);
            BOOST_TEST((failed.error.code == Errc::unavailable));
            BOOST_TEST((disk.storage->status().condition == StorageCondition::failed));
            BOOST_TEST(!disk.storage->status().text.empty());
            BOOST_TEST((append(*disk.storage, 2, "two").outcome == AppendOutcome::refused));
            BOOST_TEST(!disk.storage->probe().has_value());
            disk.storage->close();
            BOOST_TEST(!disk.storage->open(disk.state()).has_value());
            disk.set("ok");
            open(*disk.storage, disk.state());
            BOOST_TEST(disk.storage->probe().has_value());
            BOOST_TEST((disk.storage->status().condition == StorageCondition::ok));
            const auto there = last(*disk.storage);
            BOOST_TEST((there == 1 || (there == 2 && failed.outcome == AppendOutcome::unknown)));
            BOOST_TEST(static_cast<bool>(append(*disk.storage, there + 1, "goes on")));
        }
    }
}

// The commit is on the disk, but the sync said otherwise: only who opens again learns it.
BOOST_AUTO_TEST_CASE(an_unknown_outcome_is_learned_by_opening_again)
{
    BadDisk disk("unknown");
    BOOST_REQUIRE(static_cast<bool>(append(*disk.storage, 1, "one")));
    disk.set("unknown once only=journal.db");
    const auto unknown = append(*disk.storage, 2, "two");
    BOOST_TEST((unknown.outcome == AppendOutcome::unknown));
    BOOST_TEST((disk.storage->status().condition == StorageCondition::failed));
    BOOST_TEST((append(*disk.storage, 2, "two").outcome == AppendOutcome::refused));
    disk.reopen();
    BOOST_TEST((disk.storage->status().condition == StorageCondition::ok));
    BOOST_TEST(last(*disk.storage) == 2u);
    std::string found;
    const auto read = disk.storage->read(SequenceNumber{2}, [&](SequenceNumber, std::string_view data) {
        found = data;
        return true;
    });
    BOOST_TEST(read.has_value());
    BOOST_TEST(found == "two");
    BOOST_TEST(static_cast<bool>(append(*disk.storage, 3, "three")));
}

BOOST_AUTO_TEST_CASE(a_history_that_fails_harms_no_journal)
{
    BadDisk disk("history");
    disk.set("eio only=history.db");
    const HistoryRow row{
        .sequence = SequenceNumber{1}, .job = JobId{1}, .incarnation = Incarnation{1}, .state = JobState::completed};
    BOOST_TEST(!disk.storage->apply_history(SequenceNumber{1}, std::span(&row, 1)).has_value());
    BOOST_TEST(static_cast<bool>(append(*disk.storage, 1, "one")));
    disk.set("ok");
    BOOST_TEST(disk.storage->apply_history(SequenceNumber{1}, std::span(&row, 1)).has_value());
    BOOST_TEST(disk.storage->history_last_sequence()->value == 1u);
}

// A full disk: submits are refused, ends of running jobs are recorded from the reserve, and it recovers by itself.
BOOST_AUTO_TEST_CASE(a_full_disk_still_takes_the_ends_of_jobs)
{
    const Folder folder("full");
    if (::mount("jarvis_test", folder.path().c_str(), "tmpfs", 0, "size=32m") != 0) {
        BOOST_TEST_MESSAGE("skipped: a tmpfs cannot be mounted here (it takes root)");
        return;
    }
    struct Unmount {
        std::string path;
        ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    } unmount{folder.path()};
    const std::string state = folder.path() + "/state";
    std::filesystem::create_directories(state);
    auto storage = load_storage("sqlite", {{"reserve", "8M"}});
    open(*storage, state);
    BOOST_TEST((storage->status().condition == StorageCondition::ok), storage->status().text);
    BOOST_REQUIRE(static_cast<bool>(append(*storage, 1, "submit")));

    const std::string hog = folder.path() + "/hog";
    const auto fill = [&] { // to the last page
        std::ofstream out(hog, std::ios::binary | std::ios::app);
        const std::string chunk(4096, 'h');
        while (out.write(chunk.data(), static_cast<std::streamsize>(chunk.size())) && out.flush()) {
        }
    };
    fill();
    BOOST_TEST((append(*storage, 2, "submit").outcome == AppendOutcome::refused));
    const auto status = storage->status();
    BOOST_TEST((status.condition == StorageCondition::reserve));
    BOOST_TEST(status.text.find("nearly full") != std::string::npos, status.text);
    const std::string end(300, 'e');
    std::uint64_t next = 2;
    for (int i = 0; i < 1000; ++i) {
        const auto done = append(*storage, next, end, true);
        BOOST_REQUIRE_MESSAGE(static_cast<bool>(done), "end " << i << ": " << done.error.message);
        ++next;
    }
    BOOST_TEST(storage->probe().has_value());
    BOOST_TEST((storage->status().condition == StorageCondition::reserve));
    storage->close();
    fill();
    open(*storage, state); // also with a full disk
    BOOST_TEST((storage->status().condition == StorageCondition::reserve));
    BOOST_TEST(last(*storage) == next - 1);

    std::filesystem::remove(hog);
    BOOST_TEST(storage->probe().has_value());
    BOOST_TEST((storage->status().condition == StorageCondition::ok), storage->status().text);
    BOOST_TEST(static_cast<bool>(append(*storage, next, "submit")));
}
