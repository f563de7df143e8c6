// A storage plugin as the daemons use it. See include/jarvis/storage.h for what each call promises and which thread may
// make it.
#pragma once

#include "base/ids.hpp"
#include "base/time.hpp"
#include "model/job_request.hpp"
#include "model/job_state.hpp"
#include "plugin/host.hpp"

#include <jarvis/storage.h>

#include <optional>
#include <span>

namespace jarvis::plugin {

enum class StorageMode : std::uint8_t { read_write = JARVIS_STORAGE_READ_WRITE, read_only = JARVIS_STORAGE_READ_ONLY };
enum class StorageCondition : std::uint8_t {
    ok = JARVIS_STORAGE_OK,
    reserve = JARVIS_STORAGE_RESERVE,
    failed = JARVIS_STORAGE_FAILED
};

struct StorageStatus {
    StorageCondition condition = StorageCondition::ok;
    std::string text; // why, for people; empty when ok
};

struct Blob {
    BlobHash hash{};
    std::optional<std::string_view> data; // none: it is stored already and is named once more
};

struct Group {
    SequenceNumber sequence;
    std::string_view data;
    std::span<const Blob> blobs;
    bool use_reserve = false;
};

enum class AppendOutcome : std::uint8_t {
    stored = JARVIS_APPEND_STORED,
    refused = JARVIS_APPEND_REFUSED,
    unknown = JARVIS_APPEND_UNKNOWN
};

struct Append {
    AppendOutcome outcome = AppendOutcome::stored;
    Error error; // when it is not stored
    explicit operator bool() const noexcept { return outcome == AppendOutcome::stored; }
};

static_assert(JobId::no_task == JARVIS_NO_ARRAY_INDEX);

// A wall time of 0 is "not yet".
struct HistoryRow {
    SequenceNumber sequence;
    JobId job;
    Incarnation incarnation;
    std::uint32_t uid = 0;
    JobState state = JobState::pending;
    std::string_view user;
    WallTime submitted{};
    WallTime started{};
    WallTime ended{};
    std::string_view record;
};

struct HistoryKey {
    JobId job;
    Incarnation incarnation;
};

// Conditions that are left out match every row.
struct HistoryFilter {
    std::span<const std::uint64_t> jobs; // ascending; an array's number stands for all its tasks
    std::span<const std::uint32_t> uids;
    std::span<const JobState> states;
    std::optional<WallTime> since; // not ended before it
    std::optional<WallTime> until; // submitted before it
    std::uint32_t limit = 0;
    std::optional<HistoryKey> after; // the last one of the page before
};

// Of one incarnation: something that is asked for by its key alone.
struct HistoryPart {
    SequenceNumber sequence;
    JobId job;
    Incarnation incarnation;
    std::uint64_t number = 0;
    std::string_view record;
};

struct SnapshotInfo {
    SequenceNumber sequence;
    std::uint64_t size = 0;
};

// Callbacks return false when they have had enough; what they throw comes out of the call that they were given to.
using EachGroup = std::function<bool(SequenceNumber, std::string_view)>;
using EachPiece = std::function<bool(std::string_view)>;
using EachRow = std::function<bool(const HistoryRow&)>;
using EachPart = std::function<bool(const HistoryPart&)>;

class Storage;

// Writes one snapshot; destroyed without commit() it leaves nothing behind. The storage outlives it.
class SnapshotWriter {
    friend class Storage;
    const jarvis_storage* table_ = nullptr;
    void* state_ = nullptr;
    void* writer_ = nullptr;

    SnapshotWriter(const jarvis_storage* table, void* state, void* writer)
        : table_(table), state_(state), writer_(writer)
    {}

public:
    SnapshotWriter(SnapshotWriter&& other) noexcept;
    SnapshotWriter& operator=(SnapshotWriter&& other) noexcept;
    ~SnapshotWriter();
    Result<void> write(std::string_view data);
    // Durable and read back when this succeeds; the writer is done either way.
    Result<void> commit();
};

// Loaded once; opened, closed and opened again as often as need be. It does not move, since other threads hold on to
// it.
class Storage {
    Loaded<jarvis_storage> plugin_;
    std::unique_ptr<OpenArguments> arguments_;
    void* state_ = nullptr;

    Storage(Loaded<jarvis_storage> plugin, std::unique_ptr<OpenArguments> arguments);

public:
    // Loads the plugin and checks its settings; opens nothing yet.
    static Result<std::unique_ptr<Storage>> load(const Source& source);
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    ~Storage();

    std::string_view name() const { return plugin_.header->name; }
    const std::string& file() const { return plugin_.file; }

    // While no other call is under way. The folder is an absolute path and exists.
    Result<void> open(const std::string& folder, StorageMode mode = StorageMode::read_write);
    void close();
    bool is_open() const noexcept { return state_ != nullptr; }

    // All others want it to be open.
    StorageStatus status() const; // any thread, does not block

    // The journal's thread; read() also any other that may block.
    Append append(std::span<const Group> groups);
    Append append(const Group& group) { return append(std::span(&group, 1)); }
    Result<void> read(SequenceNumber from, const EachGroup& each);
    Result<SequenceNumber> last_sequence();
    Result<void> trim(SequenceNumber before);
    Result<void> probe();

    // Any thread that may block.
    Result<std::string> blob(const BlobHash& hash);
    // `referenced` ascending. Returns how many were removed.
    Result<std::uint64_t> sweep(std::span<const BlobHash> referenced, SequenceNumber through);

    // The snapshots' thread.
    Result<SnapshotWriter> begin_snapshot(SequenceNumber sequence);
    Result<std::vector<SnapshotInfo>> snapshots(); // newest first
    // Pieces are to be trusted only when it succeeds.
    Result<void> read_snapshot(SequenceNumber sequence, const EachPiece& each);
    Result<std::string> read_snapshot(SequenceNumber sequence);
    Result<void> remove_snapshots(SequenceNumber before);

    // The history's thread; all but apply also any other that may block. Parts are dropped by a storage that keeps none.
    bool keeps_parts() const noexcept;
    Result<void> apply_history(SequenceNumber through, std::span<const HistoryRow> rows, std::span<const HistoryPart> parts = {});
    Result<SequenceNumber> history_last_sequence();
    Result<void> query_history(const HistoryFilter& filter, const EachRow& each);
    Result<void> history_parts(const HistoryKey& key, const EachPart& each);
};

} // namespace jarvis::plugin
