// What jarvis/storage.h promises, one check for each promise that can be seen from outside.
#include "plugin/conformance.hpp"
#include "plugin/storage.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

namespace jarvis::plugin {

namespace {

using Row = HistoryRow;

// A storage in a folder of its own, opened.
class Fixture {
    const Source& source_;
    std::string folder_;
    std::unique_ptr<Storage> storage_;

public:
    Fixture(const Source& source, const std::string& root, std::string_view name)
        : source_(source), folder_(fmt::format("{}/{}", root, name))
    {
        std::filesystem::create_directories(folder_);
        storage_ = load();
        need(storage_->open(folder_), "open");
    }
    std::unique_ptr<Storage> load() const { return need(Storage::load(source_), "load"); }
    const std::string& folder() const { return folder_; }
    Storage& operator*() { return *storage_; }
    Storage* operator->() { return storage_.get(); }
    void reopen()
    {
        storage_->close();
        need(storage_->open(folder_), "open again");
    }
};

BlobHash hash_of(std::uint64_t number)
{
    BlobHash hash{};
    for (std::size_t i = 0; i < 8; ++i)
        hash[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i)); // ascending numbers are ascending hashes
    hash[31] = 1;
    return hash;
}

void append(Storage& storage, std::uint64_t sequence, std::string_view data, std::span<const Blob> blobs = {},
            bool use_reserve = false)
{
    const auto done = storage.append(Group{SequenceNumber{sequence}, data, blobs, use_reserve});
    require(static_cast<bool>(done), "append of group {}: {}", sequence, done.error.message);
}

void append_many(Storage& storage, std::uint64_t first, std::uint64_t count)
{
    std::vector<std::string> data;
    std::vector<Group> groups;
    for (std::uint64_t i = 0; i < count; ++i)
        data.push_back(fmt::format("group {}", first + i));
    for (std::uint64_t i = 0; i < count; ++i)
        groups.push_back({SequenceNumber{first + i}, data[i], {}, false});
    const auto done = storage.append(groups);
    require(static_cast<bool>(done), "append of {} groups: {}", count, done.error.message);
}

void refuse(const Append& done, Errc code, std::string_view what)
{
    require(done.outcome == AppendOutcome::refused, "{}: should be refused, outcome was {}", what,
            static_cast<int>(done.outcome));
    require(done.error.code == code && !done.error.message.empty(), "{}: refused in another way than it should be: {}",
            what, done.error.message);
}

using Groups = std::vector<std::pair<std::uint64_t, std::string>>;
Groups read_from(Storage& storage, std::uint64_t from)
{
    Groups groups;
    need(storage.read(SequenceNumber{from},
                      [&](SequenceNumber sequence, std::string_view data) {
                          groups.emplace_back(sequence.value, data);
                          return true;
                      }),
         "read");
    return groups;
}

std::uint64_t last(Storage& storage)
{
    return need(storage.last_sequence(), "last_sequence").value;
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

void write_snapshot(Storage& storage, std::uint64_t sequence, std::span<const std::string> pieces)
{
    auto writer = need(storage.begin_snapshot(SequenceNumber{sequence}), "begin_snapshot");
    for (const auto& piece : pieces)
        need(writer.write(piece), "write a snapshot");
    need(writer.commit(), "commit a snapshot");
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

WallTime at(std::int64_t seconds)
{
    return WallTime(std::chrono::seconds(seconds));
}

Row row(std::uint64_t sequence, std::uint64_t job, JobState state, std::int64_t submitted, std::int64_t ended,
        std::string_view record)
{
    return {SequenceNumber{sequence},
            JobId{job},
            Incarnation{1},
            1000,
            state,
            "alice",
            at(submitted),
            at(submitted + 1),
            ended ? at(ended) : WallTime{},
            record};
}

struct Seen {
    std::uint64_t job;
    std::uint32_t array_index;
    std::uint32_t incarnation;
    std::string record;
    auto operator<=>(const Seen&) const = default;
};
std::vector<Seen> query(Storage& storage, const HistoryFilter& filter)
{
    std::vector<Seen> seen;
    need(storage.query_history(filter,
                               [&](const HistoryRow& found) {
                                   seen.push_back({found.job.value, found.job.task, found.incarnation.value,
                                                   std::string(found.record)});
                                   return true;
                               }),
         "query_history");
    require(std::ranges::is_sorted(seen), "rows did not come in the order of their keys");
    return seen;
}

void applies_history_once(Fixture& storage)
{
    const std::array first{row(1, 1, JobState::running, 100, 0, "running"),
                           row(2, 2, JobState::pending, 101, 0, "pending")};
    need(storage->apply_history(SequenceNumber{5}, first), "apply_history");
    require(need(storage->history_last_sequence(), "history_last_sequence").value == 5,
            "history_last_sequence is not 5");
    const std::array changed{row(3, 1, JobState::failed, 100, 200, "must not appear")};
    need(storage->apply_history(SequenceNumber{5}, changed), "apply_history of what was applied");
    need(storage->apply_history(SequenceNumber{4}, changed), "apply_history of what was applied");
    const std::array mixed{row(5, 1, JobState::failed, 100, 200, "must not appear"),
                           row(6, 2, JobState::completed, 101, 201, "completed")};
    need(storage->apply_history(SequenceNumber{8}, mixed), "apply_history of old and new");
    const auto rows = query(*storage, {});
    require(rows.size() == 2 && rows[0].record == "running" && rows[1].record == "completed",
            "rows were applied twice or not at all");
    const std::array beyond{row(20, 3, JobState::completed, 1, 2, "beyond")};
    need_failure(storage->apply_history(SequenceNumber{9}, beyond), Errc::invalid, "a row of a later group");
    require(query(*storage, {}).size() == 2, "a refused batch left a row");
    storage.reopen();
    require(need(storage->history_last_sequence(), "history_last_sequence").value == 8,
            "history_last_sequence is not 8 after a reopen");
    require(query(*storage, {}).size() == 2, "rows were lost");
}

void keeps_all_of_a_row(Fixture& storage)
{
    Row in = row(1, 7, JobState::out_of_memory, 100, 300, std::string_view("a\0b\xff", 4));
    in.job.task = 3;
    in.incarnation = Incarnation{2};
    in.uid = 4294967294u;
    in.user = "J\xf6rg"; // Latin-1
    need(storage->apply_history(SequenceNumber{1}, std::span(&in, 1)), "apply_history");
    int seen = 0;
    need(storage->query_history(
             {},
             [&](const HistoryRow& out) {
                 ++seen;
                 require(out.job == in.job && out.incarnation == in.incarnation,
                         "key");
                 require(out.sequence == in.sequence && out.uid == in.uid && out.state == in.state,
                         "sequence, uid or state");
                 require(out.user == in.user && out.record == in.record, "user or record");
                 require(out.submitted == in.submitted && out.started == in.started && out.ended == in.ended, "times");
                 return true;
             }),
         "a field of a row changed");
    require(seen == 1, "{} rows instead of one", seen);
}

// Parts come back by their key, in order, also where there is no row; applied once like rows.
void keeps_parts_of_a_job(Fixture& storage)
{
    if (!storage->keeps_parts())
        return;
    const HistoryKey of_task{JobId{7, 3}, Incarnation{2}};
    const auto part = [](std::uint64_t sequence, HistoryKey key, std::uint64_t number, std::string_view record) {
        return HistoryPart{SequenceNumber{sequence}, key.job, key.incarnation, number, record};
    };
    const HistoryKey other{JobId{7}, Incarnation{2}};
    const std::array first{part(2, of_task, 65, std::string_view("b\0c", 3)), part(1, of_task, 1, "a"), part(1, other, 1, "of the other")};
    need(storage->apply_history(SequenceNumber{2}, {}, first), "apply_history with parts alone");
    const std::array again{part(2, of_task, 1, "must not appear"), part(3, of_task, 129, "d")};
    need(storage->apply_history(SequenceNumber{3}, {}, again), "apply_history of old and new parts");
    const std::array beyond{part(9, of_task, 200, "beyond")};
    need_failure(storage->apply_history(SequenceNumber{4}, {}, beyond), Errc::invalid, "a part of a later group");
    storage.reopen();
    std::string seen;
    need(storage->history_parts(of_task, [&](const HistoryPart& found) {
             require(found.job == of_task.job && found.incarnation == of_task.incarnation, "a part of another job");
             seen += fmt::format("{}:{};", found.number, found.record);
             return true;
         }),
         "history_parts");
    require(seen == std::string_view("1:a;65:b\0c;129:d;", 17), "parts are {} bytes, not the ones that were given", seen.size());
    int count = 0;
    need(storage->history_parts(of_task, [&](const HistoryPart&) { return ++count < 2; }), "history_parts");
    require(count == 2, "a reader that has enough got {} parts", count);
    need(storage->history_parts({JobId{8}, Incarnation{1}}, [&](const HistoryPart&) { return ++count < 0; }), "history_parts of nothing");
    require(count == 2, "a job without parts has some");
}

// Jobs 1 to 400: job n is of user 1000 + n % 4, submitted at second n, ended at n + 50 (every tenth still runs), FAILED
// when n is divisible by 3. Job 500 is an array of three elements, and its last one was requeued.
void fill_history(Storage& storage)
{
    std::vector<Row> rows;
    for (std::uint64_t n = 1; n <= 400; ++n) {
        const auto seconds = static_cast<std::int64_t>(n);
        const bool runs = n % 10 == 0;
        const JobState state = runs ? JobState::running : n % 3 == 0 ? JobState::failed : JobState::completed;
        rows.push_back(row(n, n, state, seconds, runs ? 0 : seconds + 50, "record"));
        rows.back().uid = static_cast<std::uint32_t>(1000 + n % 4);
    }
    for (std::uint32_t index = 0; index < 3; ++index) {
        rows.push_back(row(401, 500, JobState::completed, 1000, 1050, "element"));
        rows.back().job.task = index;
    }
    rows.push_back(row(401, 500, JobState::completed, 1000, 1050, "second start"));
    rows.back().job.task = 2;
    rows.back().incarnation = Incarnation{2};
    need(storage.apply_history(SequenceNumber{401}, rows), "apply_history");
}

void expect_rows(Storage& storage, const HistoryFilter& filter, std::size_t count, std::string_view what)
{
    const auto rows = query(storage, filter);
    require(rows.size() == count, "{}: {} rows, expected {}", what, rows.size(), count);
}

void finds_history_by_everything(Fixture& storage)
{
    fill_history(*storage);
    const std::array<std::uint64_t, 5> jobs{3, 10, 77, 450, 500};
    const std::array uids{1001u, 1003u};
    const std::array failed{JobState::failed};
    const std::array running{JobState::running, JobState::suspended};
    expect_rows(*storage, {}, 404, "all");
    expect_rows(*storage, {.jobs = jobs}, 7, "by job");
    expect_rows(*storage, {.jobs = jobs, .uids = uids}, 2, "by job and user");
    expect_rows(*storage, {.jobs = jobs, .states = failed}, 1, "by job and state");
    expect_rows(*storage, {.uids = uids}, 200, "by user");
    expect_rows(*storage, {.states = running}, 40, "by state");
    expect_rows(*storage, {.uids = uids, .states = failed}, 67, "by user and state");
    // Ended at second 401 or later: jobs 351 to 400 (45 of which have ended), the 40 that run, the array's 4.
    expect_rows(*storage, {.since = at(401)}, 45 + 40 + 4, "since");
    expect_rows(*storage, {.until = at(11)}, 10, "until");
    expect_rows(*storage, {.since = at(401), .until = at(1000)}, 45 + 40, "since and until");
    expect_rows(*storage, {.uids = uids, .since = at(401), .until = at(1000)}, 25, "user, since and until");
    expect_rows(*storage, {.states = failed, .since = at(1051)}, 0, "nothing");
}

void pages_through_history(Fixture& storage)
{
    fill_history(*storage);
    const std::array uids{1000u, 1001u, 1002u, 1003u};
    std::vector<std::uint64_t> jobs;
    for (std::uint64_t n = 1; n <= 500; ++n)
        jobs.push_back(n);
    const std::array filters{HistoryFilter{}, HistoryFilter{.uids = uids}, HistoryFilter{.jobs = jobs},
                             HistoryFilter{.since = at(1)}};
    for (HistoryFilter filter : filters) {
        const auto whole = query(*storage, filter);
        std::vector<Seen> paged;
        filter.limit = 33;
        for (;;) {
            const auto page = query(*storage, filter);
            require(page.size() <= 33, "a page of {} rows, the limit was 33", page.size());
            if (page.empty())
                break;
            paged.insert(paged.end(), page.begin(), page.end());
            filter.after =
                HistoryKey{{page.back().job, page.back().array_index}, Incarnation{page.back().incarnation}};
        }
        require(paged == whole, "pages together have {} rows, the whole has {}", paged.size(), whole.size());
    }
    int seen = 0;
    need(storage->query_history({}, [&](const HistoryRow&) { return ++seen < 5; }), "query_history");
    require(seen == 5, "{} rows came, the reader wanted 5", seen);
}

// Each part from a thread of its own, as the controller does it.
void serves_its_parts_at_once(Fixture& storage)
{
    std::atomic<bool> stop = false;
    std::mutex mutex;
    std::string first_failure;
    const auto run = [&](auto work) {
        return std::thread([&, work] {
            try {
                for (std::uint64_t i = 1; !stop && i <= 50; ++i)
                    work(i);
            } catch (const std::exception& failure) {
                const std::lock_guard lock(mutex);
                first_failure = failure.what();
                stop = true;
            }
        });
    };
    const std::array blobs{Blob{hash_of(1), "script"}};
    append(*storage, 1, "one", blobs);
    std::array threads{
        run([&](std::uint64_t i) { append_many(*storage, 2 + (i - 1) * 10, 10); }),
        run([&](std::uint64_t i) { write_snapshot(*storage, i, std::array{std::string(100000, 's')}); }),
        run([&](std::uint64_t i) {
            const std::array rows{row(i, i, JobState::completed, 1, 2, "record")};
            need(storage->apply_history(SequenceNumber{i}, rows), "apply_history");
        }),
        run([&](std::uint64_t) { query(*storage, {}); }),
        run([&](std::uint64_t) { require(need(storage->blob(hash_of(1)), "blob") == "script", "a blob changed"); }),
        run([&](std::uint64_t) { require(!read_from(*storage, 1).empty(), "groups are gone"); }),
        run([&](std::uint64_t) { require(storage->status().condition == StorageCondition::ok, "status is not ok"); }),
        run([&](std::uint64_t) {
            need(storage->sweep(std::array<BlobHash, 1>{hash_of(1)}, SequenceNumber{1000}), "sweep");
        }),
    };
    for (std::thread& thread : threads)
        thread.join();
    require(first_failure.empty(), "{}", first_failure);
    require(last(*storage) == 501, "last_sequence is {}, not 501", last(*storage));
}

} // namespace

void check_storage(const Source& source, const std::string& folder, const CheckListener& listener)
{
    struct Check {
        const char* name;
        void (*run)(Fixture&);
    };
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
        Check{"applies_history_once", applies_history_once},
        Check{"keeps_all_of_a_row", keeps_all_of_a_row},
        Check{"keeps_parts_of_a_job", keeps_parts_of_a_job},
        Check{"finds_history_by_everything", finds_history_by_everything},
        Check{"pages_through_history", pages_through_history},
        Check{"serves_its_parts_at_once", serves_its_parts_at_once},
    };
    for (const Check& check : checks)
        run_check(listener, check.name, [&] {
            Fixture fixture(source, folder, check.name);
            check.run(fixture);
        });
}

} // namespace jarvis::plugin
