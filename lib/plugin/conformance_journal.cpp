// What jarvis/storage.h promises of groups, blobs and snapshots.
#include "plugin/storage_checks.hpp"

#include <algorithm>
#include <array>

namespace jarvis::plugin::storage_checks {
namespace {

void refuse(const Append& done, Errc code, std::string_view what)
{
    require(done.outcome == AppendOutcome::refused, "{}: should be refused, outcome was {}", what,
            static_cast<int>(done.outcome));
    require(done.error.code == code && !done.error.message.empty(), "{}: refused in another way than it should be: {}",
            what, done.error.message);
}

void starts_empty(Fixture& storage)
{
    require(last(*storage) == 0, "last_sequence of an empty storage is {}", last(*storage));
    require(read_from(*storage, 1).empty(), "an empty storage has groups");
    require(need(storage->snapshots(), "snapshots").empty(), "an empty storage has snapshots");
    require(need(storage->history_last_sequence(), "history_last_sequence").value == 0,
            "an empty history has a sequence number");
    const auto status = storage->status();
    require(status.condition == StorageCondition::ok, "status of an empty storage: {}", status.text);
    need(storage->probe(), "probe");
    require(last(*storage) == 0, "a probe took a sequence number");
}

void gives_back_what_was_appended(Fixture& storage)
{
    using namespace std::string_literals;
    append(*storage, 1, "one");
    append(*storage, 2, "");
    append(*storage, 3, "a\0b\xff\n"s);
    append_many(*storage, 4, 64);
    const std::string large(3 << 20, 'x');
    append(*storage, 68, large);
    const auto all = read_from(*storage, 1);
    require(all.size() == 68, "{} groups of 68 came back", all.size());
    require(all[0].second == "one" && all[1].second.empty() && all[2].second == "a\0b\xff\n"s,
            "the bytes of a group changed");
    require(all[66].second == "group 67" && all[67].second == large, "the bytes of a group changed");
    for (std::size_t i = 0; i < all.size(); ++i)
        require(all[i].first == i + 1, "group {} came as number {}", all[i].first, i + 1);
    require(read_from(*storage, 60).front().first == 60, "reading from 60 begins elsewhere");
    require(read_from(*storage, 69).empty(), "there is something behind the end");
    require(last(*storage) == 68, "last_sequence is {}, not 68", last(*storage));
    const auto nothing = storage->append(std::span<const Group>());
    require(static_cast<bool>(nothing), "an append of no groups failed");
}

void stops_reading_when_told(Fixture& storage)
{
    append_many(*storage, 1, 10);
    int seen = 0;
    need(storage->read(SequenceNumber{1}, [&](SequenceNumber, std::string_view) { return ++seen < 3; }), "read");
    require(seen == 3, "{} groups came, the reader wanted 3", seen);
}

void refuses_gaps_and_repetitions(Fixture& storage)
{
    append_many(*storage, 1, 3);
    refuse(storage->append(Group{SequenceNumber{3}, "again", {}, false}), Errc::invalid, "group 3 twice");
    refuse(storage->append(Group{SequenceNumber{5}, "gap", {}, false}), Errc::invalid, "group 5 after group 3");
    const std::array groups{Group{SequenceNumber{4}, "good", {}, false}, Group{SequenceNumber{6}, "gap", {}, false}};
    refuse(storage->append(groups), Errc::invalid, "groups 4 and 6 together");
    require(last(*storage) == 3 && read_from(*storage, 1).size() == 3, "something of a refused append was stored");
    append(*storage, 4, "four");
}

void keeps_everything_over_a_reopen(Fixture& storage)
{
    const std::array blobs{Blob{hash_of(7), "script"}};
    append(*storage, 1, "one", blobs);
    append_many(*storage, 2, 100);
    storage.reopen();
    require(last(*storage) == 101 && read_from(*storage, 1).size() == 101, "groups were lost");
    require(need(storage->blob(hash_of(7)), "blob") == "script", "a blob changed");
    append(*storage, 102, "goes on");
    storage.reopen();
    require(read_from(*storage, 102).size() == 1, "groups were lost");
}

void may_begin_anywhere(Fixture& storage)
{
    append_many(*storage, 1000, 5);
    require(last(*storage) == 1004, "last_sequence is {}, not 1004", last(*storage));
    need_failure(storage->read(SequenceNumber{1}, [](SequenceNumber, std::string_view) { return true; }),
                 Errc::not_found, "read from 1");
    storage.reopen();
    require(read_from(*storage, 1000).size() == 5, "groups were lost");
}

void has_one_writer(Fixture& storage)
{
    append(*storage, 1, "one");
    auto second = storage.load();
    need_failure(second->open(storage.folder()), Errc::unavailable, "a second writer");
    storage->close();
    need(second->open(storage.folder()), "open after the first writer has closed");
    append(*second, 2, "two");
    second->close();
    need(storage->open(storage.folder()), "open again");
    require(read_from(*storage, 1).size() == 2, "groups were lost");
}

void reads_without_writing(Fixture& storage)
{
    auto reader = storage.load();
    const std::array blobs{Blob{hash_of(1), "script"}};
    append(*storage, 1, "one", blobs);
    const auto look = [&](std::string_view when) {
        need(reader->open(storage.folder(), StorageMode::read_only), fmt::format("open for reading {}", when));
        require(read_from(*reader, 1).size() == 1 && last(*reader) == 1, "the reader does not see the group {}", when);
        require(need(reader->blob(hash_of(1)), "blob") == "script", "the reader sees another blob");
        refuse(reader->append(Group{SequenceNumber{2}, "two", {}, false}), Errc::denied, "append by a reader");
        need_failure(reader->trim(SequenceNumber{2}), Errc::denied, "trim by a reader");
        need_failure(reader->apply_history(SequenceNumber{1}, {}), Errc::denied, "apply_history by a reader");
        need_failure(reader->sweep({}, SequenceNumber{1}), Errc::denied, "sweep by a reader");
        require(need(reader->history_last_sequence(), "history_last_sequence").value == 0,
                "the reader sees another history");
        reader->close();
    };
    look("beside the writer");
    storage->close();
    look("without a writer");
    const std::string empty = storage.folder() + "/empty";
    std::filesystem::create_directories(empty);
    need_failure(reader->open(empty, StorageMode::read_only), Errc::not_found, "open an empty folder for reading");
    require(std::filesystem::is_empty(empty), "a reader made files");
}

void trims(Fixture& storage)
{
    append_many(*storage, 1, 50);
    need(storage->trim(SequenceNumber{21}), "trim");
    require(read_from(*storage, 21).size() == 30, "trim took too much or too little");
    need_failure(storage->read(SequenceNumber{20}, [](SequenceNumber, std::string_view) { return true; }),
                 Errc::not_found, "read from 20");
    need(storage->trim(SequenceNumber{10}), "trim of what is gone");
    need(storage->trim(SequenceNumber{1000}), "trim beyond the end");
    require(last(*storage) == 50, "last_sequence is {} after a trim, not 50", last(*storage));
    storage.reopen();
    require(last(*storage) == 50, "last_sequence is {} after a trim and a reopen, not 50", last(*storage));
    refuse(storage->append(Group{SequenceNumber{1}, "one", {}, false}), Errc::invalid, "group 1 after the trim");
    append(*storage, 51, "goes on");
    append_many(*storage, 52, 5000);
    need(storage->trim(SequenceNumber{5000}), "trim of many");
    require(read_from(*storage, 5000).size() == 52, "trim of many took too much or too little");
}

void stores_blobs_with_their_group(Fixture& storage)
{
    const std::string large(4 << 20, 's');
    const std::array first{Blob{hash_of(1), "#!/bin/sh\n"}, Blob{hash_of(2), ""}, Blob{hash_of(3), large}};
    append(*storage, 1, "one", first);
    require(need(storage->blob(hash_of(1)), "blob") == "#!/bin/sh\n", "a blob changed");
    require(need(storage->blob(hash_of(2)), "empty blob").empty(), "an empty blob changed");
    require(need(storage->blob(hash_of(3)), "large blob") == large, "a large blob changed");
    need_failure(storage->blob(hash_of(9)), Errc::not_found, "a blob that is not there");
    const std::array again{Blob{hash_of(1), "#!/bin/sh\n"}, Blob{hash_of(2), std::nullopt}};
    append(*storage, 2, "two", again);
    const std::array missing{Blob{hash_of(9), std::nullopt}};
    refuse(storage->append(Group{SequenceNumber{3}, "three", missing, false}), Errc::not_found,
           "a group that names a missing blob");
    require(last(*storage) == 2, "a refused group was stored");
    const std::array both{Blob{hash_of(9), "nine"}};
    const std::array after{Blob{hash_of(9), std::nullopt}};
    const std::array groups{Group{SequenceNumber{3}, "three", both, false},
                            Group{SequenceNumber{4}, "four", after, false}};
    require(static_cast<bool>(storage->append(groups)),
            "a group cannot name a blob of a group before it in the same append");
    require(need(storage->blob(hash_of(9)), "blob") == "nine", "a blob changed");
}

void sweeps_what_nobody_names(Fixture& storage)
{
    for (std::uint64_t i = 1; i <= 10; ++i) {
        const std::array blobs{Blob{hash_of(i), "blob"}};
        append(*storage, i, "group", blobs);
    }
    const std::array named_again{Blob{hash_of(2), std::nullopt}};
    append(*storage, 11, "names blob 2 again", named_again);
    const std::array referenced{hash_of(3), hash_of(5), hash_of(100)};
    const auto removed = need(storage->sweep(referenced, SequenceNumber{6}), "sweep");
    require(removed == 3, "{} blobs were swept, expected 3 (1, 4 and 6)", removed);
    for (const std::uint64_t kept : {2, 3, 5, 7, 8, 9, 10})
        need(storage->blob(hash_of(kept)), fmt::format("blob {} after the sweep", kept));
    for (const std::uint64_t gone : {1, 4, 6})
        need_failure(storage->blob(hash_of(gone)), Errc::not_found, fmt::format("blob {} after the sweep", gone));
    const std::array back{Blob{hash_of(1), "blob"}};
    append(*storage, 12, "group", back);
    need(storage->blob(hash_of(1)), "a blob that was swept and came again");
}

void sweeps_many(Fixture& storage)
{
    constexpr std::uint64_t count = 10000;
    std::vector<Blob> blobs;
    std::vector<BlobHash> referenced;
    for (std::uint64_t i = 0; i < count; ++i) {
        blobs.push_back({hash_of(i), "blob"});
        if (i % 2 == 0)
            referenced.push_back(hash_of(i));
    }
    append(*storage, 1, "many", blobs);
    const auto removed = need(storage->sweep(referenced, SequenceNumber{1}), "sweep");
    require(removed == count / 2, "{} of {} blobs were swept", removed, count / 2);
    need(storage->blob(hash_of(count - 2)), "a blob that is referenced");
    need_failure(storage->blob(hash_of(count - 1)), Errc::not_found, "a blob that is not referenced");
}

void writes_snapshots(Fixture& storage)
{
    const std::array pieces{std::string("head"), std::string(5 << 20, 'p'), std::string(), std::string("tail\0", 5)};
    const std::string whole = pieces[0] + pieces[1] + pieces[3];
    const std::array small{std::string("small")};
    write_snapshot(*storage, 100, pieces);
    write_snapshot(*storage, 200, small);
    write_snapshot(*storage, 50, {});
    {
        auto aborted = need(storage->begin_snapshot(SequenceNumber{300}), "begin_snapshot");
        need(aborted.write("never ended"), "write a snapshot");
    }
    const auto check = [&](std::string_view when) {
        const auto list = need(storage->snapshots(), "snapshots");
        require(list.size() == 3, "{} snapshots of 3 are there {}", list.size(), when);
        require(list[0].sequence.value == 200 && list[1].sequence.value == 100 && list[2].sequence.value == 50,
                "not the newest first {}", when);
        require(list[1].size == whole.size(), "a snapshot of {} bytes says {}", whole.size(), list[1].size);
        require(need(storage->read_snapshot(SequenceNumber{100}), "read_snapshot") == whole, "a snapshot changed {}",
                when);
        require(need(storage->read_snapshot(SequenceNumber{200}), "read_snapshot") == "small", "a snapshot changed {}",
                when);
        require(need(storage->read_snapshot(SequenceNumber{50}), "read_snapshot").empty(),
                "an empty snapshot changed {}", when);
        need_failure(storage->read_snapshot(SequenceNumber{300}), Errc::not_found, "an aborted snapshot");
    };
    check("at once");
    storage.reopen();
    check("after a reopen");
    const std::array other{std::string("replaced")};
    write_snapshot(*storage, 200, other);
    require(need(storage->read_snapshot(SequenceNumber{200}), "read_snapshot") == "replaced",
            "a snapshot was not replaced");
    need(storage->remove_snapshots(SequenceNumber{200}), "remove_snapshots");
    require(need(storage->snapshots(), "snapshots").size() == 1, "removing left something older, or took too much");
}

} // namespace

std::span<const Check> journal_checks()
{
    static constexpr std::array checks{
        Check{"starts_empty", starts_empty},
        Check{"gives_back_what_was_appended", gives_back_what_was_appended},
        Check{"stops_reading_when_told", stops_reading_when_told},
        Check{"refuses_gaps_and_repetitions", refuses_gaps_and_repetitions},
        Check{"keeps_everything_over_a_reopen", keeps_everything_over_a_reopen},
        Check{"may_begin_anywhere", may_begin_anywhere},
        Check{"has_one_writer", has_one_writer},
        Check{"reads_without_writing", reads_without_writing},
        Check{"trims", trims},
        Check{"stores_blobs_with_their_group", stores_blobs_with_their_group},
        Check{"sweeps_what_nobody_names", sweeps_what_nobody_names},
        Check{"sweeps_many", sweeps_many},
        Check{"writes_snapshots", writes_snapshots},
    };
    return checks;
}

} // namespace jarvis::plugin::storage_checks
