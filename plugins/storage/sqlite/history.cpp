#include "history.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace sqlite_storage {

using jarvis_plugin::Failure;

namespace {

// "Not yet" is stored as the end of time, so that one index range finds what had not ended at some instant. The two
// other indexes hold all that a filter looks at: the rows themselves are fetched only when they match.
constexpr Format format{1, R"(
    CREATE TABLE jobs (id INTEGER PRIMARY KEY, job INTEGER NOT NULL, array_index INTEGER NOT NULL, incarnation INTEGER NOT NULL,
        sequence INTEGER NOT NULL, uid INTEGER NOT NULL, state INTEGER NOT NULL, submit_us INTEGER NOT NULL, start_us INTEGER NOT NULL,
        end_us INTEGER NOT NULL, user BLOB NOT NULL, record BLOB NOT NULL) STRICT;
    CREATE UNIQUE INDEX jobs_key ON jobs (job, array_index, incarnation);
    CREATE INDEX jobs_end ON jobs (end_us, submit_us, state, uid, job, array_index, incarnation);
    CREATE INDEX jobs_user ON jobs (uid, end_us, submit_us, state, job, array_index, incarnation);
    CREATE TABLE meta (last_sequence INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES (0);
)"};

// Came later; a file without it is made one with it by the first writer, and writers of before do not mind it.
constexpr const char* parts_schema = R"(
    CREATE TABLE IF NOT EXISTS parts (job INTEGER NOT NULL, array_index INTEGER NOT NULL, incarnation INTEGER NOT NULL,
        number INTEGER NOT NULL, sequence INTEGER NOT NULL, record BLOB NOT NULL,
        PRIMARY KEY (job, array_index, incarnation, number)) STRICT, WITHOUT ROWID;
)";

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

#define ROW_COLUMNS "job, array_index, incarnation, sequence, uid, state, submit_us, start_us, end_us, user, record"

jarvis_history_row to_row(const Statement::Run& from)
{
    jarvis_history_row row{};
    row.job = from.number(0);
    row.array_index = static_cast<std::uint32_t>(from.integer(1));
    row.incarnation = static_cast<std::uint32_t>(from.integer(2));
    row.sequence = from.number(3);
    row.uid = static_cast<std::uint32_t>(from.integer(4));
    row.state = static_cast<std::uint32_t>(from.integer(5));
    row.submit_us = from.integer(6);
    row.start_us = from.integer(7);
    row.end_us = from.integer(8) == never ? 0 : from.integer(8);
    row.user = jarvis_plugin::bytes(from.bytes(9));
    row.record = jarvis_plugin::bytes(from.bytes(10));
    return row;
}

using Key = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;

// What every way of looking does: stops at the limit or when the reader has enough.
class Output {
    const jarvis_plugin::RowSink& sink_;
    std::uint64_t left_;

public:
    Output(const jarvis_history_filter& filter, const jarvis_plugin::RowSink& sink)
        : sink_(sink), left_(filter.limit > 0 ? filter.limit : std::numeric_limits<std::uint64_t>::max())
    {}
    // False: no more.
    bool put(const Statement::Run& from)
    {
        const jarvis_history_row row = to_row(from);
        return sink_(&row) && --left_ > 0;
    }
};

// A filter in the form that the statements take it.
struct Conditions {
    std::span<const std::uint64_t> jobs;
    std::vector<std::uint32_t> uids; // ascending
    std::uint64_t state_mask;
    std::int64_t since;
    std::int64_t until;
    Key after;

    explicit Conditions(const jarvis_history_filter& filter)
        : jobs(filter.jobs, filter.job_count), uids(filter.uids, filter.uids + filter.uid_count),
          state_mask(filter.state_mask ? filter.state_mask : ~std::uint64_t{0}), since(filter.since_us),
          until(filter.until_us ? filter.until_us : never),
          after(filter.after.job, filter.after.array_index, filter.after.incarnation)
    {
        std::ranges::sort(uids);
    }
    bool wants_uid(std::int64_t uid) const
    {
        return uids.empty() || std::ranges::binary_search(uids, static_cast<std::uint32_t>(uid));
    }
};

// The conditions that need no index; the parameters are since, until, state mask.
#define FILTER " end_us >= ?1 AND submit_us < ?2 AND ((?3 >> state) & 1) "

void query_jobs(Connection& reader, const Conditions& wanted, Output& output)
{
    Statement select =
        reader.prepare("SELECT " ROW_COLUMNS " FROM jobs INDEXED BY jobs_key WHERE" FILTER
                       "AND job = ?4 AND (array_index, incarnation) > (?5, ?6) ORDER BY array_index, incarnation");
    const auto& [after_job, after_index, after_incarnation] = wanted.after;
    for (auto job = std::ranges::lower_bound(wanted.jobs, after_job); job != wanted.jobs.end(); ++job) {
        const bool first = *job == after_job;
        // -1 is before every index.
        auto row = select.run(wanted.since, wanted.until, wanted.state_mask, *job,
                              first ? std::int64_t{after_index} : -1, first ? std::int64_t{after_incarnation} : -1);
        while (row.step())
            if (wanted.wants_uid(row.integer(4)) && !output.put(row))
                return;
    }
}

// Without a condition that an index serves: the whole table in the order of its key.
void query_all(Connection& reader, const Conditions& wanted, Output& output)
{
    Statement select =
        reader.prepare("SELECT " ROW_COLUMNS " FROM jobs INDEXED BY jobs_key WHERE" FILTER
                       "AND (job, array_index, incarnation) > (?4, ?5, ?6) ORDER BY job, array_index, incarnation");
    const auto& [job, index, incarnation] = wanted.after;
    auto row = select.run(wanted.since, wanted.until, wanted.state_mask, job, index, incarnation);
    while (row.step())
        if (!output.put(row))
            return;
}

struct Found {
    Key key;
    std::int64_t id;
};

void collect(Statement::Run row, const Conditions& wanted, std::vector<Found>& found)
{
    while (row.step()) {
        const Key key{row.number(0), static_cast<std::uint32_t>(row.integer(1)),
                      static_cast<std::uint32_t>(row.integer(2))};
        if (key > wanted.after)
            found.push_back({key, row.integer(3)});
    }
}

// By time or user: the keys come from an index alone, then the rows in the order of the keys.
void query_indexed(Connection& reader, const Conditions& wanted, Output& output)
{
    std::vector<Found> found;
    if (wanted.uids.empty()) {
        Statement select =
            reader.prepare("SELECT job, array_index, incarnation, id FROM jobs INDEXED BY jobs_end WHERE" FILTER);
        collect(select.run(wanted.since, wanted.until, wanted.state_mask), wanted, found);
    } else {
        Statement select = reader.prepare(
            "SELECT job, array_index, incarnation, id FROM jobs INDEXED BY jobs_user WHERE" FILTER "AND uid = ?4");
        for (const std::uint32_t uid : wanted.uids)
            collect(select.run(wanted.since, wanted.until, wanted.state_mask, uid), wanted, found);
    }
    std::ranges::sort(found, {}, &Found::key);
    Statement fetch = reader.prepare("SELECT " ROW_COLUMNS " FROM jobs WHERE id = ?");
    for (const Found& one : found) {
        auto row = fetch.run(one.id);
        if (row.step() && !output.put(row))
            return;
    }
}

} // namespace

History::History(const std::string& folder, const std::string& vfs, bool read_only)
    : path_(folder + "/history.db"), readers_(path_, vfs, format)
{
    if (read_only)
        return;
    Writer w;
    w.connection = open_writer(path_, vfs, format);
    w.connection->execute(parts_schema);
    settle(*w.connection);
    w.replace =
        w.connection->prepare("INSERT INTO jobs (" ROW_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                              "ON CONFLICT (job, array_index, incarnation) DO UPDATE SET sequence = excluded.sequence, "
                              "uid = excluded.uid, state = excluded.state, submit_us = excluded.submit_us, "
                              "start_us = excluded.start_us, end_us = excluded.end_us, user = excluded.user, "
                              "record = excluded.record");
    w.replace_part = w.connection->prepare("INSERT OR REPLACE INTO parts (job, array_index, incarnation, number, sequence, record) "
                                           "VALUES (?, ?, ?, ?, ?, ?)");
    w.set_last = w.connection->prepare("UPDATE meta SET last_sequence = ?");
    w.last = static_cast<std::uint64_t>(w.connection->query_integer("SELECT last_sequence FROM meta"));
    writer_.emplace(std::move(w));
}

namespace {

// Rows and parts alike: false for what was applied before.
bool is_new(const auto& item, std::uint64_t last, std::uint64_t through)
{
    if (item.sequence > through)
        throw Failure(JARVIS_INVALID, "history: what is of group " + std::to_string(item.sequence) +
                                          " cannot come with the groups up to " + std::to_string(through));
    return item.sequence > last;
}

} // namespace

void History::apply(std::uint64_t through, const jarvis_plugin::Array<jarvis_history_row>& rows,
                    const jarvis_plugin::Array<jarvis_history_part>& parts)
{
    const std::lock_guard lock(mutex_);
    if (!writer_)
        throw Failure(JARVIS_DENIED, path_ + ": was opened for reading alone");
    Writer& w = *writer_;
    if (through <= w.last)
        return;
    Transaction transaction(*w.connection, Transaction::Kind::write);
    for (const jarvis_history_row& row : rows)
        if (is_new(row, w.last, through))
            w.replace.execute(row.job, row.array_index, row.incarnation, row.sequence, row.uid, row.state, row.submit_us, row.start_us,
                              row.end_us == 0 ? never : row.end_us, jarvis_plugin::view(row.user), jarvis_plugin::view(row.record));
    for (const jarvis_history_part& part : parts)
        if (is_new(part, w.last, through))
            w.replace_part.execute(part.job, part.array_index, part.incarnation, part.number, part.sequence, jarvis_plugin::view(part.record));
    w.set_last.execute(through);
    transaction.commit();
    w.last = through;
}

std::uint64_t History::last_sequence()
{
    auto reader = readers_.take();
    return static_cast<std::uint64_t>(reader->query_integer("SELECT last_sequence FROM meta"));
}

void History::query(const jarvis_history_filter& filter, const jarvis_plugin::RowSink& sink)
{
    const Conditions wanted(filter);
    Output output(filter, sink);
    auto reader = readers_.take();
    Transaction transaction(*reader, Transaction::Kind::read); // all statements see the same rows
    if (!wanted.jobs.empty())
        query_jobs(*reader, wanted, output);
    else if (wanted.uids.empty() && wanted.since == 0)
        query_all(*reader, wanted, output);
    else
        query_indexed(*reader, wanted, output);
}

void History::parts(const jarvis_history_key& key, const jarvis_plugin::PartSink& sink)
{
    auto reader = readers_.take();
    if (reader->query_integer("SELECT count(*) FROM sqlite_master WHERE name = 'parts'") == 0)
        return;
    Statement select = reader->prepare("SELECT number, sequence, record FROM parts WHERE job = ? AND array_index = ? AND incarnation = ? "
                                       "ORDER BY number");
    auto row = select.run(key.job, key.array_index, key.incarnation);
    while (row.step()) {
        const jarvis_history_part part{row.number(1), key.job, key.array_index, key.incarnation, row.number(0),
                                       jarvis_plugin::bytes(row.bytes(2))};
        if (!sink(&part))
            return;
    }
}

} // namespace sqlite_storage
