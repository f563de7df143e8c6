// What jarvis/storage.h promises of the history of jobs.
#include "plugin/storage_checks.hpp"

#include <algorithm>
#include <array>

namespace jarvis::plugin::storage_checks {
namespace {

using Row = HistoryRow;

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

} // namespace

std::span<const Check> history_checks()
{
    static constexpr std::array checks{
        Check{"applies_history_once", applies_history_once},
        Check{"keeps_all_of_a_row", keeps_all_of_a_row},
        Check{"keeps_parts_of_a_job", keeps_parts_of_a_job},
        Check{"finds_history_by_everything", finds_history_by_everything},
        Check{"pages_through_history", pages_through_history},
    };
    return checks;
}

} // namespace jarvis::plugin::storage_checks
