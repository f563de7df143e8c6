#include "journal.hpp"

#include "checksum.hpp"

#include <algorithm>

namespace sqlite_storage {

using jarvis_plugin::AppendFailure;
using jarvis_plugin::Failure;
using jarvis_plugin::Group;
using jarvis_plugin::Groups;
using jarvis_plugin::Hash;

namespace {

// A blob that is named again changes one small row; its bytes are in a table of their own and stay where they are.
// trimmed_through is the last number that is gone (or was never there): the journal begins behind it.
constexpr Format format{1, R"(
    CREATE TABLE groups (sequence INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
    CREATE TABLE blobs (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, last_sequence INTEGER NOT NULL) STRICT;
    CREATE TABLE blob_data (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
    CREATE TABLE meta (trimmed_through INTEGER NOT NULL, probes INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES (0, 0);
)"};

// Rows that one transaction of a trim or sweep handles: some milliseconds, for which an append may have to wait.
constexpr std::uint64_t slice = 2000;

// For the shared memory of the log, a new log's first pages, and the pages that settling adds to the database.
constexpr std::uint64_t opening_need = 1 << 20;

std::string_view as_bytes(const Hash& hash)
{
    return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::uint64_t read_last(Connection& connection)
{
    return static_cast<std::uint64_t>(connection.query_integer(
        "SELECT max(trimmed_through, coalesce((SELECT max(sequence) FROM groups), 0)) FROM meta"));
}

std::uint64_t total_size(const Groups& groups)
{
    std::uint64_t size = 0;
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
        const Group group = groups[i];
        size += group.data().size();
        for (const jarvis_blob& blob : group.blobs())
            size += blob.size;
    }
    return size;
}

} // namespace

void FairMutex::lock()
{
    std::unique_lock lock(mutex_);
    const std::uint64_t ticket = next_ticket_++;
    turn_.wait(lock, [&] { return serving_ == ticket; });
}

void FairMutex::unlock()
{
    {
        const std::lock_guard lock(mutex_);
        ++serving_;
    }
    turn_.notify_all();
}

Journal::Journal(const std::string& folder, const std::string& vfs, bool read_only, std::uint64_t reserve)
    : folder_(folder), readers_(folder + "/journal.db", vfs, format)
{
    if (read_only)
        return;
    // On a full disk even the opening takes some pages, and what it settles takes more.
    space_ = std::make_unique<Space>(folder, reserve);
    space_->make_room(opening_need);
    Writer w;
    w.connection = open_writer(folder + "/journal.db", vfs, format);
    settle(*w.connection);
    Connection& c = *w.connection;
    w.insert_group = c.prepare("INSERT INTO groups VALUES (?, ?, ?)");
    w.find_blob = c.prepare("SELECT id FROM blobs WHERE hash = ?");
    w.touch_blob = c.prepare("UPDATE blobs SET last_sequence = ? WHERE id = ?");
    w.insert_blob = c.prepare("INSERT INTO blobs (hash, last_sequence) VALUES (?, ?)");
    w.insert_blob_data = c.prepare("INSERT INTO blob_data VALUES (?, ?)");
    w.trim = c.prepare("DELETE FROM groups WHERE sequence <= ?");
    w.set_trimmed = c.prepare("UPDATE meta SET trimmed_through = ?");
    w.count_probe = c.prepare("UPDATE meta SET probes = probes + 1");
    w.next_blobs = c.prepare("SELECT id, hash, last_sequence FROM blobs WHERE id > ? ORDER BY id LIMIT ?");
    w.remove_blob = c.prepare("DELETE FROM blobs WHERE id = ?");
    w.remove_blob_data = c.prepare("DELETE FROM blob_data WHERE id = ?");
    w.last = read_last(c);
    writer_.emplace(std::move(w));
    check_space();
}

Journal::Writer& Journal::writer()
{
    if (!writer_)
        throw Failure(JARVIS_DENIED, "state folder " + folder_ + ": was opened for reading alone");
    return *writer_;
}

void Journal::set_trouble(Trouble trouble)
{
    const std::lock_guard lock(trouble_mutex_);
    trouble_ = std::move(trouble);
}

Journal::Trouble Journal::trouble() const
{
    const std::lock_guard lock(trouble_mutex_);
    return trouble_;
}

jarvis_plugin::Status Journal::status() const
{
    const Trouble now = trouble();
    return {now.condition, now.text};
}

void Journal::check_space()
{
    std::string why;
    if (space_->recover(why))
        set_trouble({});
    else
        set_trouble({JARVIS_STORAGE_RESERVE, false, why});
}

// Everything that is refused before SQLite is asked.
void Journal::admit(const Groups& groups)
{
    const auto refused = [](jarvis_code code, const std::string& text) {
        return AppendFailure(JARVIS_APPEND_REFUSED, code, text);
    };
    if (!writer_)
        throw refused(JARVIS_DENIED, "state folder " + folder_ + ": was opened for reading alone");
    const Trouble now = trouble();
    if (now.condition == JARVIS_STORAGE_FAILED)
        throw refused(JARVIS_UNAVAILABLE, now.text);
    bool may_use_reserve = true;
    for (std::uint32_t i = 0; i < groups.size(); ++i)
        may_use_reserve = may_use_reserve && groups[i].use_reserve();
    const std::uint64_t size = total_size(groups);
    if (may_use_reserve)
        return space_->make_room(size);
    if (now.condition == JARVIS_STORAGE_OK && space_->has_room(size))
        return;
    const std::string why = space_->shortage();
    set_trouble({JARVIS_STORAGE_RESERVE, false, why});
    throw refused(JARVIS_UNAVAILABLE, why);
}

void Journal::check_sequence(const Groups& groups)
{
    std::uint64_t expected = writer_->last == 0 && groups.size() > 0 ? groups[0].sequence() : writer_->last + 1;
    for (std::uint32_t i = 0; i < groups.size(); ++i, ++expected)
        if (groups[i].sequence() != expected || expected == 0)
            throw AppendFailure(JARVIS_APPEND_REFUSED, JARVIS_INVALID,
                                "journal: group " + std::to_string(groups[i].sequence()) + " cannot follow group " +
                                    std::to_string(expected - 1));
}

void Journal::insert_blob(const jarvis_blob& blob, std::uint64_t sequence)
{
    Writer& w = *writer_;
    const std::string_view hash(reinterpret_cast<const char*>(blob.hash), sizeof blob.hash);
    std::optional<std::int64_t> id;
    {
        auto found = w.find_blob.run(hash);
        if (found.step())
            id = found.integer(0);
    }
    if (id)
        return w.touch_blob.execute(sequence, *id);
    if (!blob.data)
        throw AppendFailure(JARVIS_APPEND_REFUSED, JARVIS_NOT_FOUND,
                            "journal: group " + std::to_string(sequence) + " names a blob that is not stored");
    w.insert_blob.execute(hash, sequence);
    w.insert_blob_data.execute(sqlite3_last_insert_rowid(w.connection->handle()),
                               jarvis_plugin::view(blob.data, blob.size));
}

void Journal::insert(const Groups& groups)
{
    Writer& w = *writer_;
    if (w.last == 0)
        w.set_trimmed.execute(groups[0].sequence() - 1);
    for (std::uint32_t i = 0; i < groups.size(); ++i) {
        const Group group = groups[i];
        for (const jarvis_blob& blob : group.blobs())
            insert_blob(blob, group.sequence());
        w.insert_group.execute(group.sequence(), group_checksum(group.sequence(), group.data()), group.data());
    }
}

// An error before COMMIT: the transaction is rolled back and will never appear.
void Journal::refuse(const DatabaseError& error)
{
    std::string why;
    if (error.is_full() && !space_->recover(why) && trouble().condition == JARVIS_STORAGE_OK)
        set_trouble({JARVIS_STORAGE_RESERVE, false, why});
    else
        set_trouble({JARVIS_STORAGE_FAILED, false, error.what()});
    throw AppendFailure(JARVIS_APPEND_REFUSED, error.code(), error.what());
}

// An error at COMMIT: the bytes may have got to the disk before it, and the next to read the log would find them.
void Journal::commit(Transaction& transaction)
{
    try {
        transaction.commit();
    } catch (const DatabaseError& error) {
        set_trouble({JARVIS_STORAGE_FAILED, true, error.what()});
        throw AppendFailure(JARVIS_APPEND_UNKNOWN, error.code(), error.what());
    }
}

void Journal::append(const Groups& groups)
{
    const std::lock_guard lock(mutex_);
    admit(groups);
    if (groups.size() == 0)
        return;
    check_sequence(groups);
    try {
        Transaction transaction(*writer_->connection, Transaction::Kind::write);
        insert(groups);
        commit(transaction);
    } catch (const DatabaseError& error) {
        refuse(error);
    }
    writer_->last = groups[groups.size() - 1].sequence();
}

void Journal::read(std::uint64_t from, const jarvis_plugin::GroupSink& sink)
{
    auto reader = readers_.take();
    Transaction transaction(*reader, Transaction::Kind::read);
    std::uint64_t expected = std::max<std::uint64_t>(from, 1);
    const auto trimmed = static_cast<std::uint64_t>(reader->query_integer("SELECT trimmed_through FROM meta"));
    if (expected <= trimmed)
        throw Failure(JARVIS_NOT_FOUND, "journal: begins with group " + std::to_string(trimmed + 1) + ", group " +
                                            std::to_string(expected) + " is gone");
    Statement select =
        reader->prepare("SELECT sequence, checksum, data FROM groups WHERE sequence >= ? ORDER BY sequence");
    auto row = select.run(expected);
    for (; row.step(); ++expected) {
        const std::uint64_t sequence = row.number(0);
        if (sequence != expected)
            throw Failure(JARVIS_CORRUPT, "journal.db: group " + std::to_string(expected) + " is missing");
        const std::string_view data = row.bytes(2);
        if (group_checksum(sequence, data) != row.number(1))
            throw Failure(JARVIS_CORRUPT,
                          "journal.db: group " + std::to_string(sequence) + " does not have its checksum");
        if (!sink(sequence, data.data(), data.size()))
            return;
    }
}

std::uint64_t Journal::last_sequence()
{
    if (!writer_)
        return read_last(*readers_.take());
    const std::lock_guard lock(mutex_);
    return writer_->last;
}

void Journal::trim(std::uint64_t before)
{
    for (bool more = true; more;) {
        const std::lock_guard lock(mutex_);
        Writer& w = writer();
        const auto trimmed =
            static_cast<std::uint64_t>(w.connection->query_integer("SELECT trimmed_through FROM meta"));
        const std::uint64_t end = before == 0 ? 0 : std::min(before - 1, w.last);
        if (end <= trimmed)
            return;
        const std::uint64_t through = std::min(end, trimmed + slice);
        Transaction transaction(*w.connection, Transaction::Kind::write);
        w.trim.execute(through);
        w.set_trimmed.execute(through);
        transaction.commit();
        more = through < end;
    }
}

void Journal::probe()
{
    const std::lock_guard lock(mutex_);
    Writer& w = writer();
    const Trouble before = trouble();
    if (before.reopen)
        throw Failure(JARVIS_UNAVAILABLE,
                      before.text + "; the storage has to be opened again to learn what was stored");
    try {
        // In a shortage writing works, and every page counts.
        if (before.condition != JARVIS_STORAGE_RESERVE) {
            Transaction transaction(*w.connection, Transaction::Kind::write);
            w.count_probe.execute();
            transaction.commit();
        }
        check_space();
    } catch (const Failure& error) {
        set_trouble({JARVIS_STORAGE_FAILED, false, error.what()});
        throw;
    }
}

void Journal::blob_get(const Hash& hash, const jarvis_plugin::PieceSink& sink)
{
    auto reader = readers_.take();
    Statement select = reader->prepare("SELECT data FROM blobs JOIN blob_data USING (id) WHERE hash = ?");
    auto row = select.run(as_bytes(hash));
    if (!row.step())
        throw Failure(JARVIS_NOT_FOUND, "journal.db: there is no such blob");
    const std::string_view data = row.bytes(0);
    sink(data.data(), data.size());
}

std::uint64_t Journal::sweep_slice(std::span<const Hash> referenced, std::uint64_t through, std::int64_t& position,
                                   bool& done)
{
    const std::lock_guard lock(mutex_);
    Writer& w = writer();
    std::vector<std::int64_t> unused;
    std::uint64_t seen = 0;
    {
        auto row = w.next_blobs.run(position, slice);
        for (; row.step(); ++seen) {
            position = row.integer(0);
            Hash hash{};
            const std::string_view bytes = row.bytes(1);
            std::copy_n(bytes.begin(), std::min(bytes.size(), hash.size()), hash.begin());
            if (row.number(2) <= through && !std::ranges::binary_search(referenced, hash))
                unused.push_back(position);
        }
    }
    done = seen < slice;
    if (unused.empty())
        return 0;
    Transaction transaction(*w.connection, Transaction::Kind::write);
    for (const std::int64_t id : unused) {
        w.remove_blob.execute(id);
        w.remove_blob_data.execute(id);
    }
    transaction.commit();
    return unused.size();
}

std::uint64_t Journal::sweep(std::span<const Hash> referenced, std::uint64_t through)
{
    writer();
    std::uint64_t removed = 0;
    std::int64_t position = 0;
    for (bool done = false; !done;)
        removed += sweep_slice(referenced, through, position, done);
    return removed;
}

} // namespace sqlite_storage
