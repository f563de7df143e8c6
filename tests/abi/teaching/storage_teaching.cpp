// A teaching plugin: the smallest storage that keeps the promises of jarvis/storage.h, in memory and with one lock.
// (The plugin "memory" is its grown-up sister.) A real one writes to a disk; what matters is the order of things: check
// all, then change all.
#include <jarvis/storage.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

namespace {

using namespace jarvis_plugin;

struct Row {
    jarvis_history_row row;
    std::string user, record;
};
struct Store {
    std::recursive_mutex mutex;
    bool writer = false, used = false;
    std::uint64_t trimmed = 0, history_last = 0;
    std::map<std::uint64_t, std::string> groups, snapshots;
    std::map<Hash, std::pair<std::string, std::uint64_t>> blobs;
    std::map<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>, Row> rows;
};
std::map<std::string, Store, std::less<>> stores; // by folder; they outlive their opening, as files do
std::mutex stores_mutex;

Store& find(std::string_view folder)
{
    const std::lock_guard lock(stores_mutex);
    return stores[std::string(folder)];
}

struct Writer {
    Store& store;
    std::uint64_t sequence;
    std::string bytes;
    void write(std::string_view data) { bytes += data; }
    void commit()
    {
        const std::lock_guard lock(store.mutex);
        store.snapshots[sequence] = bytes;
    }
};

class Teaching {
    Store& s_;
    bool read_only_;

    std::unique_lock<std::recursive_mutex> lock() { return std::unique_lock(s_.mutex); }
    std::unique_lock<std::recursive_mutex> lock_to_write()
    {
        if (read_only_)
            throw Failure(JARVIS_DENIED, "opened for reading alone");
        return lock();
    }
    [[noreturn]] static void refuse(jarvis_code code, const char* why)
    {
        throw AppendFailure(JARVIS_APPEND_REFUSED, code, why);
    }

public:
    Teaching(const Settings&, std::string_view folder, jarvis_storage_mode mode)
        : s_(find(folder)), read_only_(mode == JARVIS_STORAGE_READ_ONLY)
    {
        const auto guard = lock();
        if (read_only_ && !s_.used)
            throw Failure(JARVIS_NOT_FOUND, "nothing was stored here");
        if (!read_only_ && std::exchange(s_.writer, true))
            throw Failure(JARVIS_UNAVAILABLE, "another controller writes here");
        s_.used = true;
    }
    ~Teaching()
    {
        const auto guard = lock();
        s_.writer = s_.writer && read_only_;
    }
    Status status() const { return {}; }
    std::uint64_t last_sequence()
    {
        const auto guard = lock();
        return s_.groups.empty() ? s_.trimmed : s_.groups.rbegin()->first;
    }
    void append(const Groups& groups)
    {
        const auto guard = lock();
        if (read_only_)
            refuse(JARVIS_DENIED, "opened for reading alone");
        const std::uint64_t first = last_sequence() || groups.size() == 0 ? last_sequence() + 1 : groups[0].sequence();
        auto blobs = s_.blobs;
        for (std::uint32_t i = 0; i < groups.size(); ++i) {
            if (groups[i].sequence() != first + i || first == 0)
                refuse(JARVIS_INVALID, "a gap in the sequence numbers");
            for (const jarvis_blob& blob : groups[i].blobs()) {
                const Hash hash = std::to_array(blob.hash);
                if (!blob.data && !blobs.contains(hash))
                    refuse(JARVIS_NOT_FOUND, "names a blob that is not stored");
                blobs.try_emplace(hash, view(blob.data, blob.size), 0).first->second.second = groups[i].sequence();
            }
        }
        s_.blobs = std::move(blobs);
        s_.trimmed = s_.groups.empty() && groups.size() > 0 ? first - 1 : s_.trimmed;
        for (std::uint32_t i = 0; i < groups.size(); ++i)
            s_.groups[groups[i].sequence()] = groups[i].data();
    }
    void read(std::uint64_t from, const GroupSink& sink)
    {
        const auto guard = lock();
        if (std::max<std::uint64_t>(from, 1) <= s_.trimmed)
            throw Failure(JARVIS_NOT_FOUND, "trimmed");
        for (auto at = s_.groups.lower_bound(from);
             at != s_.groups.end() && sink(at->first, at->second.data(), at->second.size());)
            ++at;
    }
    void trim(std::uint64_t before)
    {
        const auto guard = lock_to_write();
        before = std::min(before, last_sequence() + 1);
        s_.groups.erase(s_.groups.begin(), s_.groups.lower_bound(before));
        s_.trimmed = std::max(s_.trimmed, before > 0 ? before - 1 : 0);
    }
    void probe() { lock_to_write(); }
    void blob_get(const Hash& hash, const PieceSink& sink)
    {
        const auto guard = lock();
        const auto found = s_.blobs.find(hash);
        if (found == s_.blobs.end())
            throw Failure(JARVIS_NOT_FOUND, "no such blob");
        sink(found->second.first.data(), found->second.first.size());
    }
    std::uint64_t sweep(std::span<const Hash> referenced, std::uint64_t through)
    {
        const auto guard = lock_to_write();
        return std::erase_if(s_.blobs, [&](const auto& blob) {
            return blob.second.second <= through && !std::ranges::binary_search(referenced, blob.first);
        });
    }
    std::unique_ptr<Writer> snapshot_begin(std::uint64_t sequence)
    {
        return lock_to_write(), std::unique_ptr<Writer>(new Writer{s_, sequence, {}});
    }
    void snapshot_list(const SnapshotSink& sink)
    {
        const auto guard = lock();
        for (auto at = s_.snapshots.rbegin(); at != s_.snapshots.rend() && sink(at->first, at->second.size());)
            ++at;
    }
    void snapshot_read(std::uint64_t sequence, const PieceSink& sink)
    {
        const auto guard = lock();
        const auto found = s_.snapshots.find(sequence);
        if (found == s_.snapshots.end())
            throw Failure(JARVIS_NOT_FOUND, "no such snapshot");
        sink(found->second.data(), found->second.size());
    }
    void snapshot_remove(std::uint64_t before)
    {
        const auto guard = lock_to_write();
        s_.snapshots.erase(s_.snapshots.begin(), s_.snapshots.lower_bound(before));
    }
    void history_apply(std::uint64_t through, const Array<jarvis_history_row>& rows)
    {
        const auto guard = lock_to_write();
        for (const jarvis_history_row& row : rows)
            if (row.sequence > through)
                throw Failure(JARVIS_INVALID, "a row of a later group");
        for (const jarvis_history_row& row : rows)
            if (through > s_.history_last && row.sequence > s_.history_last)
                s_.rows[{row.job, row.array_index, row.incarnation}] = {row, std::string(view(row.user)),
                                                                        std::string(view(row.record))};
        s_.history_last = std::max(s_.history_last, through);
    }
    std::uint64_t history_last_sequence() { return lock(), s_.history_last; }
    void history_query(const jarvis_history_filter& f, const RowSink& sink)
    {
        const auto guard = lock();
        const std::span jobs(f.jobs, f.job_count);
        const std::span uids(f.uids, f.uid_count);
        std::uint32_t count = 0;
        for (auto at = s_.rows.upper_bound({f.after.job, f.after.array_index, f.after.incarnation});
             at != s_.rows.end(); ++at) {
            jarvis_history_row row = at->second.row;
            row.user = bytes(at->second.user);
            row.record = bytes(at->second.record);
            const bool matches = (jobs.empty() || std::ranges::binary_search(jobs, row.job)) &&
                                 (uids.empty() || std::ranges::find(uids, row.uid) != uids.end()) &&
                                 (f.state_mask == 0 || (f.state_mask >> row.state) & 1) &&
                                 (f.since_us == 0 || row.end_us == 0 || row.end_us >= f.since_us) &&
                                 (f.until_us == 0 || row.submit_us < f.until_us);
            if (matches && (!sink(&row) || ++count == f.limit))
                return;
        }
    }
};

} // namespace

JARVIS_STORAGE_PLUGIN(Teaching, (About{"teaching", "1.0", "the smallest storage that keeps its promises, in memory"}))
