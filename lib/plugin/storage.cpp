#include "plugin/storage.hpp"

#include <cassert>
#include <exception>

namespace jarvis::plugin {

namespace {

// No exception may pass through a plugin: what a callback throws waits here until the plugin has returned.
template <class Each>
struct Trampoline {
    const Each& each;
    std::exception_ptr thrown = nullptr;

    template <class... Args>
    std::int32_t call(Args&&... args) noexcept
    {
        try {
            return each(std::forward<Args>(args)...) ? 0 : 1;
        } catch (...) {
            thrown = std::current_exception();
            return 1;
        }
    }
    void rethrow() const
    {
        if (thrown)
            std::rethrow_exception(thrown);
    }
};

std::string_view view(const void* data, std::uint64_t size)
{
    return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}
jarvis_bytes bytes(std::string_view text)
{
    return {text.data(), text.size()};
}

std::int32_t on_group(void* context, std::uint64_t sequence, const void* data, std::uint64_t size)
{
    return static_cast<Trampoline<EachGroup>*>(context)->call(SequenceNumber{sequence}, view(data, size));
}

std::int32_t on_piece(void* context, const void* data, std::uint64_t size)
{
    return static_cast<Trampoline<EachPiece>*>(context)->call(view(data, size));
}

std::int64_t to_microseconds(WallTime time)
{
    return time.time_since_epoch().count();
}
WallTime to_wall_time(std::int64_t microseconds)
{
    return WallTime(std::chrono::microseconds(microseconds));
}

std::int32_t on_row(void* context, const jarvis_history_row* row)
{
    const HistoryRow known{SequenceNumber{row->sequence},
                           JobId{row->job, row->array_index},
                           Incarnation{row->incarnation},
                           row->uid,
                           static_cast<JobState>(row->state),
                           view(row->user.data, row->user.size),
                           to_wall_time(row->submit_us),
                           to_wall_time(row->start_us),
                           to_wall_time(row->end_us),
                           view(row->record.data, row->record.size)};
    return static_cast<Trampoline<EachRow>*>(context)->call(known);
}

std::int32_t on_part(void* context, const jarvis_history_part* part)
{
    const HistoryPart known{SequenceNumber{part->sequence}, JobId{part->job, part->array_index}, Incarnation{part->incarnation}, part->number,
                            view(part->record.data, part->record.size)};
    return static_cast<Trampoline<EachPart>*>(context)->call(known);
}

jarvis_history_row to_row(const HistoryRow& row)
{
    jarvis_history_row result{};
    result.sequence = row.sequence.value;
    result.job = row.job.value;
    result.array_index = row.job.task;
    result.incarnation = row.incarnation.value;
    result.uid = row.uid;
    result.state = static_cast<std::uint32_t>(row.state);
    result.user = bytes(row.user);
    result.submit_us = to_microseconds(row.submitted);
    result.start_us = to_microseconds(row.started);
    result.end_us = to_microseconds(row.ended);
    result.record = bytes(row.record);
    return result;
}

// The groups with all their blobs, in the shape of the ABI.
struct AppendArguments {
    std::vector<jarvis_blob> blobs;
    std::vector<jarvis_group> groups;

    explicit AppendArguments(std::span<const Group> from)
    {
        std::size_t blob_count = 0;
        for (const Group& group : from)
            blob_count += group.blobs.size();
        blobs.reserve(blob_count); // the groups point into it
        groups.reserve(from.size());
        for (const Group& group : from)
            add(group);
    }

private:
    void add(const Group& group)
    {
        const jarvis_blob* first = blobs.data() + blobs.size();
        for (const Blob& blob : group.blobs) {
            jarvis_blob& out = blobs.emplace_back();
            std::ranges::copy(blob.hash, out.hash);
            // NULL says "stored already", so an empty blob points to something.
            out.data = blob.data ? (blob.data->data() ? blob.data->data() : "") : nullptr;
            out.size = blob.data ? blob.data->size() : 0;
        }
        groups.push_back({group.sequence.value, group.data.data(), group.data.size(), first,
                          static_cast<std::uint32_t>(group.blobs.size()),
                          group.use_reserve ? JARVIS_GROUP_USE_RESERVE : 0u});
    }
};

} // namespace

SnapshotWriter::SnapshotWriter(SnapshotWriter&& other) noexcept
    : table_(other.table_), state_(other.state_), writer_(std::exchange(other.writer_, nullptr))
{}

SnapshotWriter& SnapshotWriter::operator=(SnapshotWriter&& other) noexcept
{
    std::swap(table_, other.table_);
    std::swap(state_, other.state_);
    std::swap(writer_, other.writer_);
    return *this;
}

SnapshotWriter::~SnapshotWriter()
{
    if (writer_)
        table_->snapshot_abort(state_, writer_);
}

Result<void> SnapshotWriter::write(std::string_view data)
{
    ErrorBuffer error;
    return error.result(table_->snapshot_write(state_, writer_, data.data(), data.size(), error.data(), error.size()));
}

Result<void> SnapshotWriter::commit()
{
    ErrorBuffer error;
    return error.result(table_->snapshot_commit(state_, std::exchange(writer_, nullptr), error.data(), error.size()));
}

Storage::Storage(Loaded<jarvis_storage> plugin, std::unique_ptr<OpenArguments> arguments)
    : plugin_(std::move(plugin)), arguments_(std::move(arguments))
{}

Result<std::unique_ptr<Storage>> Storage::load(const Source& source)
{
    // Up to here every storage of ABI 0.1 reaches; none of these members is optional.
    constexpr std::size_t needed = offsetof(jarvis_storage, history_query) + sizeof(jarvis_storage::history_query);
    auto plugin = plugin::load<jarvis_storage>(source.file, "storage", needed);
    if (!plugin)
        return std::unexpected(plugin.error());
    const jarvis_storage& t = plugin->table;
    if (!t.open || !t.close || !t.status || !t.append || !t.read || !t.last_sequence || !t.trim || !t.probe ||
        !t.blob_get || !t.sweep || !t.snapshot_begin || !t.snapshot_write || !t.snapshot_commit || !t.snapshot_abort ||
        !t.snapshot_list || !t.snapshot_read || !t.snapshot_remove || !t.history_apply || !t.history_last_sequence ||
        !t.history_query)
        return fail(Errc::invalid, "plugin {}: its table lacks a function that every storage has", source.file);
    auto arguments = open_arguments(*plugin->header, source);
    if (!arguments)
        return std::unexpected(arguments.error());
    return std::unique_ptr<Storage>(new Storage(std::move(*plugin), std::move(*arguments)));
}

Storage::~Storage()
{
    close();
}

Result<void> Storage::open(const std::string& folder, StorageMode mode)
{
    assert(!state_);
    ErrorBuffer error;
    void* state = nullptr;
    const std::int32_t code = plugin_.table.open(arguments_->get(), folder.c_str(), static_cast<std::uint32_t>(mode),
                                                 &state, error.data(), error.size());
    if (code == JARVIS_OK)
        state_ = state;
    return error.result(code);
}

void Storage::close()
{
    if (state_)
        plugin_.table.close(std::exchange(state_, nullptr));
}

StorageStatus Storage::status() const
{
    ErrorBuffer text;
    std::uint32_t condition = JARVIS_STORAGE_FAILED;
    plugin_.table.status(state_, &condition, text.data(), text.size());
    if (condition > JARVIS_STORAGE_FAILED)
        condition = JARVIS_STORAGE_FAILED;
    return {static_cast<StorageCondition>(condition), std::string(text.text())};
}

Append Storage::append(std::span<const Group> groups)
{
    const AppendArguments arguments(groups);
    ErrorBuffer error;
    std::uint32_t outcome = JARVIS_APPEND_UNKNOWN;
    const std::int32_t code =
        plugin_.table.append(state_, arguments.groups.data(), static_cast<std::uint32_t>(groups.size()),
                             sizeof(jarvis_group), sizeof(jarvis_blob), &outcome, error.data(), error.size());
    if (outcome == JARVIS_APPEND_STORED && code == JARVIS_OK)
        return {};
    // Whatever is not clearly refused may have happened.
    return {outcome == JARVIS_APPEND_REFUSED ? AppendOutcome::refused : AppendOutcome::unknown, error.error(code)};
}

Result<void> Storage::read(SequenceNumber from, const EachGroup& each)
{
    Trampoline<EachGroup> trampoline{each};
    ErrorBuffer error;
    const std::int32_t code = plugin_.table.read(state_, from.value, on_group, &trampoline, error.data(), error.size());
    trampoline.rethrow();
    return error.result(code);
}

Result<SequenceNumber> Storage::last_sequence()
{
    ErrorBuffer error;
    SequenceNumber sequence;
    if (const std::int32_t code = plugin_.table.last_sequence(state_, &sequence.value, error.data(), error.size());
        code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return sequence;
}

Result<void> Storage::trim(SequenceNumber before)
{
    ErrorBuffer error;
    return error.result(plugin_.table.trim(state_, before.value, error.data(), error.size()));
}

Result<void> Storage::probe()
{
    ErrorBuffer error;
    return error.result(plugin_.table.probe(state_, error.data(), error.size()));
}

Result<std::string> Storage::blob(const BlobHash& hash)
{
    std::string content;
    const EachPiece each = [&](std::string_view piece) {
        content += piece;
        return true;
    };
    Trampoline<EachPiece> trampoline{each};
    ErrorBuffer error;
    const std::int32_t code =
        plugin_.table.blob_get(state_, hash.data(), on_piece, &trampoline, error.data(), error.size());
    trampoline.rethrow();
    if (code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return content;
}

Result<std::uint64_t> Storage::sweep(std::span<const BlobHash> referenced, SequenceNumber through)
{
    static_assert(sizeof(BlobHash) == JARVIS_HASH_SIZE);
    ErrorBuffer error;
    std::uint64_t removed = 0;
    const std::int32_t code =
        plugin_.table.sweep(state_, reinterpret_cast<const std::uint8_t*>(referenced.data()), referenced.size(),
                            through.value, &removed, error.data(), error.size());
    if (code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return removed;
}

Result<SnapshotWriter> Storage::begin_snapshot(SequenceNumber sequence)
{
    ErrorBuffer error;
    void* writer = nullptr;
    const std::int32_t code = plugin_.table.snapshot_begin(state_, sequence.value, &writer, error.data(), error.size());
    if (code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return SnapshotWriter(&plugin_.table, state_, writer);
}

Result<std::vector<SnapshotInfo>> Storage::snapshots()
{
    std::vector<SnapshotInfo> found;
    ErrorBuffer error;
    const auto each = [](void* context, std::uint64_t sequence, std::uint64_t size) -> std::int32_t {
        static_cast<std::vector<SnapshotInfo>*>(context)->push_back({SequenceNumber{sequence}, size});
        return 0;
    };
    if (const std::int32_t code = plugin_.table.snapshot_list(state_, each, &found, error.data(), error.size());
        code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return found;
}

Result<void> Storage::read_snapshot(SequenceNumber sequence, const EachPiece& each)
{
    Trampoline<EachPiece> trampoline{each};
    ErrorBuffer error;
    const std::int32_t code =
        plugin_.table.snapshot_read(state_, sequence.value, on_piece, &trampoline, error.data(), error.size());
    trampoline.rethrow();
    return error.result(code);
}

Result<std::string> Storage::read_snapshot(SequenceNumber sequence)
{
    std::string content;
    auto done = read_snapshot(sequence, [&](std::string_view piece) {
        content += piece;
        return true;
    });
    if (!done)
        return std::unexpected(done.error());
    return content;
}

Result<void> Storage::remove_snapshots(SequenceNumber before)
{
    ErrorBuffer error;
    return error.result(plugin_.table.snapshot_remove(state_, before.value, error.data(), error.size()));
}

bool Storage::keeps_parts() const noexcept
{
    return plugin_.table.history_apply_parts && plugin_.table.history_parts;
}

Result<void> Storage::apply_history(SequenceNumber through, std::span<const HistoryRow> rows, std::span<const HistoryPart> parts)
{
    std::vector<jarvis_history_row> converted;
    converted.reserve(rows.size());
    for (const HistoryRow& row : rows)
        converted.push_back(to_row(row));
    ErrorBuffer error;
    if (!keeps_parts())
        return error.result(plugin_.table.history_apply(state_, through.value, converted.data(), converted.size(), sizeof(jarvis_history_row),
                                                        error.data(), error.size()));
    std::vector<jarvis_history_part> converted_parts;
    converted_parts.reserve(parts.size());
    for (const HistoryPart& part : parts)
        converted_parts.push_back({part.sequence.value, part.job.value, part.job.task, part.incarnation.value, part.number, bytes(part.record)});
    return error.result(plugin_.table.history_apply_parts(state_, through.value, converted.data(), converted.size(),
                                                          sizeof(jarvis_history_row), converted_parts.data(), converted_parts.size(),
                                                          sizeof(jarvis_history_part), error.data(), error.size()));
}

Result<SequenceNumber> Storage::history_last_sequence()
{
    ErrorBuffer error;
    SequenceNumber sequence;
    const std::int32_t code = plugin_.table.history_last_sequence(state_, &sequence.value, error.data(), error.size());
    if (code != JARVIS_OK)
        return std::unexpected(error.error(code));
    return sequence;
}

Result<void> Storage::query_history(const HistoryFilter& filter, const EachRow& each)
{
    jarvis_history_filter c{};
    c.struct_size = sizeof c;
    c.limit = filter.limit;
    c.jobs = filter.jobs.data();
    c.job_count = filter.jobs.size();
    c.uids = filter.uids.data();
    c.uid_count = filter.uids.size();
    for (const JobState state : filter.states)
        c.state_mask |= std::uint64_t{1} << static_cast<unsigned>(state);
    c.since_us = filter.since ? to_microseconds(*filter.since) : 0;
    c.until_us = filter.until ? to_microseconds(*filter.until) : 0;
    if (filter.after)
        c.after = {filter.after->job.value, filter.after->job.task, filter.after->incarnation.value};
    Trampoline<EachRow> trampoline{each};
    ErrorBuffer error;
    const std::int32_t code = plugin_.table.history_query(state_, &c, on_row, &trampoline, error.data(), error.size());
    trampoline.rethrow();
    return error.result(code);
}

Result<void> Storage::history_parts(const HistoryKey& key, const EachPart& each)
{
    if (!keeps_parts())
        return {};
    const jarvis_history_key c{key.job.value, key.job.task, key.incarnation.value};
    Trampoline<EachPart> trampoline{each};
    ErrorBuffer error;
    const std::int32_t code = plugin_.table.history_parts(state_, &c, on_part, &trampoline, error.data(), error.size());
    trampoline.rethrow();
    return error.result(code);
}

} // namespace jarvis::plugin
