// The storage plugin "memory": everything in this process's memory, under the name of the folder. It forgets with the
// process, so it is for tests; in everything else it behaves as jarvis/storage.h says.
#include <jarvis/storage.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using jarvis_plugin::AppendFailure;
using jarvis_plugin::Failure;
using jarvis_plugin::Group;
using jarvis_plugin::Groups;
using jarvis_plugin::Hash;
using jarvis_plugin::view;

constexpr std::array settings{
    jarvis_setting{
        "capacity", JARVIS_SETTING_SIZE, 0, "0", nullptr,
        "Groups and blobs together may have so many bytes; 0: no limit. It makes a full disk that a test can fill."},
    jarvis_setting{"reserve", JARVIS_SETTING_SIZE, 0, "0", nullptr,
                   "So much of the capacity is kept for the ends of running jobs."},
};

struct StoredBlob {
    std::string data;
    std::uint64_t last_sequence = 0;
};

using RowKey = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;
using PartKey = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t, std::uint64_t>;
struct StoredPart {
    std::uint64_t sequence;
    std::string record;
};
struct StoredRow {
    jarvis_history_row row; // user and record are filled in when it is handed out
    std::string user;
    std::string record;
};

// What a folder would hold.
struct Store {
    std::mutex mutex; // of all members
    bool has_writer = false;
    bool used = false; // a writer has been here
    std::map<std::uint64_t, std::string> groups;
    std::uint64_t trimmed_through = 0;
    std::map<Hash, StoredBlob> blobs;
    std::uint64_t bytes = 0;
    std::map<std::uint64_t, std::string> snapshots;
    std::map<RowKey, StoredRow> history;
    std::map<PartKey, StoredPart> history_parts;
    std::uint64_t history_last = 0;

    std::uint64_t last() const { return groups.empty() ? trimmed_through : groups.rbegin()->first; }
};

std::shared_ptr<Store> find_store(std::string_view folder)
{
    static std::mutex mutex;
    static std::map<std::string, std::shared_ptr<Store>, std::less<>> stores;
    const std::lock_guard lock(mutex);
    auto& store = stores[std::string(folder)];
    if (!store)
        store = std::make_shared<Store>();
    return store;
}

struct SnapshotWriter {
    std::shared_ptr<Store> store;
    std::uint64_t sequence;
    std::string bytes;

    void write(std::string_view data) { bytes += data; }
    void commit()
    {
        const std::lock_guard lock(store->mutex);
        store->snapshots[sequence] = std::move(bytes);
    }
};

bool matches(const jarvis_history_filter& filter, const jarvis_history_row& row)
{
    const std::span uids(filter.uids, filter.uid_count);
    return (filter.state_mask == 0 || ((filter.state_mask >> row.state) & 1) != 0) &&
           (filter.since_us == 0 || row.end_us == 0 || row.end_us >= filter.since_us) &&
           (filter.until_us == 0 || row.submit_us < filter.until_us) &&
           (uids.empty() || std::ranges::find(uids, row.uid) != uids.end());
}

class MemoryStorage {
    std::shared_ptr<Store> store_;
    bool read_only_;
    std::uint64_t capacity_;
    std::uint64_t reserve_;

    void check_writable() const
    {
        if (read_only_)
            throw Failure(JARVIS_DENIED, "memory storage: was opened for reading alone");
    }
    bool is_short(std::uint64_t more) const { return capacity_ > 0 && store_->bytes + more + reserve_ > capacity_; }

    static std::uint64_t size(const Groups& groups)
    {
        std::uint64_t size = 0;
        for (std::uint32_t i = 0; i < groups.size(); ++i) {
            size += groups[i].data().size();
            for (const jarvis_blob& blob : groups[i].blobs())
                size += blob.size;
        }
        return size;
    }

    // Everything that can be wrong is found before anything is changed.
    void check(const Groups& groups) const
    {
        const auto refused = [](jarvis_code code, const std::string& text) {
            return AppendFailure(JARVIS_APPEND_REFUSED, code, text);
        };
        if (read_only_)
            throw refused(JARVIS_DENIED, "memory storage: was opened for reading alone");
        std::uint64_t expected = store_->last() == 0 ? groups[0].sequence() : store_->last() + 1;
        bool may_use_reserve = true;
        std::vector<Hash> named;
        for (std::uint32_t i = 0; i < groups.size(); ++i, ++expected) {
            const Group group = groups[i];
            if (group.sequence() != expected || expected == 0)
                throw refused(JARVIS_INVALID, "memory storage: group " + std::to_string(group.sequence()) +
                                                  " cannot follow group " + std::to_string(expected - 1));
            may_use_reserve = may_use_reserve && group.use_reserve();
            for (const jarvis_blob& blob : group.blobs()) {
                const Hash hash = std::to_array(blob.hash);
                if (blob.data)
                    named.push_back(hash);
                else if (!store_->blobs.contains(hash) && std::ranges::find(named, hash) == named.end())
                    throw refused(JARVIS_NOT_FOUND, "memory storage: group " + std::to_string(group.sequence()) +
                                                        " names a blob that is not stored");
            }
        }
        const std::uint64_t more = size(groups);
        if (!may_use_reserve && is_short(more))
            throw refused(JARVIS_UNAVAILABLE,
                          "memory storage: what is left of its capacity is for the ends of running jobs");
        if (capacity_ > 0 && store_->bytes + more > capacity_)
            throw refused(JARVIS_UNAVAILABLE, "memory storage: is full");
    }

    void hand_out(const StoredRow& stored, const jarvis_plugin::RowSink& sink, std::uint64_t& left) const
    {
        jarvis_history_row row = stored.row;
        row.user = jarvis_plugin::bytes(stored.user);
        row.record = jarvis_plugin::bytes(stored.record);
        left = sink(&row) ? left - 1 : 0;
    }

public:
    MemoryStorage(const jarvis_plugin::Settings& values, std::string_view folder, jarvis_storage_mode mode)
        : store_(find_store(folder)), read_only_(mode == JARVIS_STORAGE_READ_ONLY),
          capacity_(static_cast<std::uint64_t>(std::max<std::int64_t>(0, values.size("capacity")))),
          reserve_(static_cast<std::uint64_t>(std::max<std::int64_t>(0, values.size("reserve"))))
    {
        const std::lock_guard lock(store_->mutex);
        if (read_only_ && !store_->used)
            throw Failure(JARVIS_NOT_FOUND, "memory storage: nothing was stored under " + std::string(folder));
        if (!read_only_ && std::exchange(store_->has_writer, true))
            throw Failure(JARVIS_UNAVAILABLE,
                          "memory storage: " + std::string(folder) + " is in use by another controller");
        store_->used = true;
    }
    ~MemoryStorage()
    {
        const std::lock_guard lock(store_->mutex);
        if (!read_only_)
            store_->has_writer = false;
    }

    jarvis_plugin::Status status() const
    {
        const std::lock_guard lock(store_->mutex);
        if (!is_short(0))
            return {};
        return {JARVIS_STORAGE_RESERVE, "memory storage: what is left of its capacity is for the ends of running jobs"};
    }

    void append(const Groups& groups)
    {
        const std::lock_guard lock(store_->mutex);
        if (groups.size() == 0)
            return;
        check(groups);
        if (store_->last() == 0)
            store_->trimmed_through = groups[0].sequence() - 1;
        for (std::uint32_t i = 0; i < groups.size(); ++i) {
            const Group group = groups[i];
            for (const jarvis_blob& blob : group.blobs()) {
                auto [stored, is_new] = store_->blobs.try_emplace(std::to_array(blob.hash));
                if (is_new) {
                    stored->second.data = view(blob.data, blob.size);
                    store_->bytes += blob.size;
                }
                stored->second.last_sequence = group.sequence();
            }
            store_->groups[group.sequence()] = group.data();
            store_->bytes += group.data().size();
        }
    }

    void read(std::uint64_t from, const jarvis_plugin::GroupSink& sink)
    {
        const std::lock_guard lock(store_->mutex);
        from = std::max<std::uint64_t>(from, 1);
        if (from <= store_->trimmed_through)
            throw Failure(JARVIS_NOT_FOUND, "memory storage: the journal begins with group " +
                                                std::to_string(store_->trimmed_through + 1) + ", group " +
                                                std::to_string(from) + " is gone");
        for (auto group = store_->groups.lower_bound(from); group != store_->groups.end(); ++group)
            if (!sink(group->first, group->second.data(), group->second.size()))
                return;
    }

    std::uint64_t last_sequence()
    {
        const std::lock_guard lock(store_->mutex);
        return store_->last();
    }

    void trim(std::uint64_t before)
    {
        check_writable();
        const std::lock_guard lock(store_->mutex);
        const std::uint64_t end = std::min(before, store_->last() + 1);
        if (end <= store_->trimmed_through + 1)
            return;
        while (!store_->groups.empty() && store_->groups.begin()->first < end) {
            store_->bytes -= store_->groups.begin()->second.size();
            store_->groups.erase(store_->groups.begin());
        }
        store_->trimmed_through = end - 1;
    }

    void probe() { check_writable(); }

    void blob_get(const Hash& hash, const jarvis_plugin::PieceSink& sink)
    {
        const std::lock_guard lock(store_->mutex);
        const auto found = store_->blobs.find(hash);
        if (found == store_->blobs.end())
            throw Failure(JARVIS_NOT_FOUND, "memory storage: there is no such blob");
        sink(found->second.data.data(), found->second.data.size());
    }

    std::uint64_t sweep(std::span<const Hash> referenced, std::uint64_t through)
    {
        check_writable();
        const std::lock_guard lock(store_->mutex);
        return std::erase_if(store_->blobs, [&](const auto& entry) {
            const bool unused =
                entry.second.last_sequence <= through && !std::ranges::binary_search(referenced, entry.first);
            if (unused)
                store_->bytes -= entry.second.data.size();
            return unused;
        });
    }

    std::unique_ptr<SnapshotWriter> snapshot_begin(std::uint64_t sequence)
    {
        check_writable();
        return std::make_unique<SnapshotWriter>(SnapshotWriter{store_, sequence, {}});
    }
    void snapshot_list(const jarvis_plugin::SnapshotSink& sink)
    {
        const std::lock_guard lock(store_->mutex);
        for (auto snapshot = store_->snapshots.rbegin(); snapshot != store_->snapshots.rend(); ++snapshot)
            if (!sink(snapshot->first, snapshot->second.size()))
                return;
    }
    void snapshot_read(std::uint64_t sequence, const jarvis_plugin::PieceSink& sink)
    {
        const std::lock_guard lock(store_->mutex);
        const auto found = store_->snapshots.find(sequence);
        if (found == store_->snapshots.end())
            throw Failure(JARVIS_NOT_FOUND, "memory storage: there is no snapshot " + std::to_string(sequence));
        sink(found->second.data(), found->second.size());
    }
    void snapshot_remove(std::uint64_t before)
    {
        check_writable();
        const std::lock_guard lock(store_->mutex);
        std::erase_if(store_->snapshots, [&](const auto& entry) { return entry.first < before; });
    }

    void history_apply(std::uint64_t through, const jarvis_plugin::Array<jarvis_history_row>& rows,
                       const jarvis_plugin::Array<jarvis_history_part>& parts)
    {
        check_writable();
        const std::lock_guard lock(store_->mutex);
        if (through <= store_->history_last)
            return;
        const auto check = [&](const auto& items) {
            for (const auto& item : items)
                if (item.sequence > through)
                    throw Failure(JARVIS_INVALID, "history: what is of group " + std::to_string(item.sequence) +
                                                      " cannot come with the groups up to " + std::to_string(through));
        };
        check(rows);
        check(parts);
        for (const jarvis_history_row& row : rows)
            if (row.sequence > store_->history_last)
                store_->history[{row.job, row.array_index, row.incarnation}] =
                    StoredRow{row, std::string(view(row.user)), std::string(view(row.record))};
        for (const jarvis_history_part& part : parts)
            if (part.sequence > store_->history_last)
                store_->history_parts[{part.job, part.array_index, part.incarnation, part.number}] = {part.sequence, std::string(view(part.record))};
        store_->history_last = through;
    }
    void history_parts(const jarvis_history_key& key, const jarvis_plugin::PartSink& sink)
    {
        const std::lock_guard lock(store_->mutex);
        const auto& parts = store_->history_parts;
        for (auto at = parts.lower_bound({key.job, key.array_index, key.incarnation, 0}); at != parts.end(); ++at) {
            const auto& [job, index, incarnation, number] = at->first;
            if (job != key.job || index != key.array_index || incarnation != key.incarnation)
                return;
            const jarvis_history_part part{at->second.sequence, job, index, incarnation, number, jarvis_plugin::bytes(at->second.record)};
            if (!sink(&part))
                return;
        }
    }
    std::uint64_t history_last_sequence()
    {
        const std::lock_guard lock(store_->mutex);
        return store_->history_last;
    }
    void history_query(const jarvis_history_filter& filter, const jarvis_plugin::RowSink& sink)
    {
        const std::lock_guard lock(store_->mutex);
        std::uint64_t left = filter.limit > 0 ? filter.limit : std::numeric_limits<std::uint64_t>::max();
        const std::span jobs(filter.jobs, filter.job_count);
        auto at = store_->history.upper_bound({filter.after.job, filter.after.array_index, filter.after.incarnation});
        auto wanted = jobs.begin();
        while (left > 0 && at != store_->history.end()) {
            const std::uint64_t job = std::get<0>(at->first);
            if (!jobs.empty()) { // straight to the next job that is asked for
                wanted = std::lower_bound(wanted, jobs.end(), job);
                if (wanted == jobs.end())
                    return;
                if (*wanted != job) {
                    at = store_->history.lower_bound({*wanted, 0, 0});
                    continue;
                }
            }
            if (matches(filter, at->second.row))
                hand_out(at->second, sink, left);
            ++at;
        }
    }
};

} // namespace

JARVIS_STORAGE_PLUGIN(MemoryStorage,
                      (jarvis_plugin::About{"memory", JARVIS_VERSION,
                                            "everything in memory, forgotten with the process: for tests", settings}))
