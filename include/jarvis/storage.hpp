// Makes a storage plugin from a class that has the members of StorageExample below. See storage.h for what each one
// promises and who calls it; failures are thrown, those of append as AppendFailure.
#ifndef JARVIS_STORAGE_HPP
#define JARVIS_STORAGE_HPP

#include <jarvis/plugin.hpp>
#include <jarvis/storage.h>

#include <array>
#include <cstdint>
#include <memory>

namespace jarvis_plugin {

using Hash = std::array<std::uint8_t, JARVIS_HASH_SIZE>;

// An append that did not work. Any other exception out of append() counts as an unknown outcome.
class AppendFailure : public Failure {
    jarvis_append_outcome outcome_;

public:
    AppendFailure(jarvis_append_outcome outcome, jarvis_code code, const std::string& message)
        : Failure(code, message), outcome_(outcome)
    {}
    jarvis_append_outcome outcome() const noexcept { return outcome_; }
};

// One group of an append.
class Group {
    jarvis_group group_;
    std::uint32_t blob_size_;

public:
    Group(const jarvis_group& group, std::uint32_t blob_size) noexcept : group_(group), blob_size_(blob_size) {}
    std::uint64_t sequence() const noexcept { return group_.sequence; }
    std::string_view data() const noexcept { return view(group_.data, group_.size); }
    bool use_reserve() const noexcept { return (group_.flags & JARVIS_GROUP_USE_RESERVE) != 0; }
    Array<jarvis_blob> blobs() const noexcept { return {group_.blobs, group_.blob_count, blob_size_}; }
};

class Groups {
    Array<jarvis_group> groups_;
    std::uint32_t blob_size_;

public:
    Groups(Array<jarvis_group> groups, std::uint32_t blob_size) noexcept : groups_(groups), blob_size_(blob_size) {}
    std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(groups_.size()); }
    Group operator[](std::uint32_t index) const noexcept { return {groups_[index], blob_size_}; }
};

// Where a reading call puts what it finds; false says that the reader has had enough.
template <class Callback, class... Args>
class Sink {
    Callback callback_;
    void* context_;

public:
    Sink(Callback callback, void* context) noexcept : callback_(callback), context_(context) {}
    bool operator()(Args... args) const { return callback_(context_, args...) == 0; }
};
using GroupSink = Sink<jarvis_each_group, std::uint64_t, const void*, std::uint64_t>;
using PieceSink = Sink<jarvis_each_piece, const void*, std::uint64_t>;
using SnapshotSink = Sink<jarvis_each_snapshot, std::uint64_t, std::uint64_t>;
using RowSink = Sink<jarvis_each_row, const jarvis_history_row*>;
using PartSink = Sink<jarvis_each_part, const jarvis_history_part*>;

struct Status {
    jarvis_storage_condition condition = JARVIS_STORAGE_OK;
    std::string text = {};
};

// The shape of the author's class, for reading; nothing derives from it.
struct StorageExample {
    // A snapshot that is being written; destroyed without commit() it leaves nothing behind.
    struct SnapshotWriter {
        void write(std::string_view data);
        void commit();
    };
    StorageExample(const Settings& settings, std::string_view folder, jarvis_storage_mode mode);
    Status status() const;
    void append(const Groups& groups);
    void read(std::uint64_t from, const GroupSink& sink);
    std::uint64_t last_sequence();
    void trim(std::uint64_t before);
    void probe();
    void blob_get(const Hash& hash, const PieceSink& sink);
    std::uint64_t sweep(std::span<const Hash> referenced, std::uint64_t through);
    std::unique_ptr<SnapshotWriter> snapshot_begin(std::uint64_t sequence);
    void snapshot_list(const SnapshotSink& sink);
    void snapshot_read(std::uint64_t sequence, const PieceSink& sink);
    void snapshot_remove(std::uint64_t before);
    void history_apply(std::uint64_t through, const Array<jarvis_history_row>& rows);
    std::uint64_t history_last_sequence();
    void history_query(const jarvis_history_filter& filter, const RowSink& sink);
    // A class without history_parts keeps none, and its history_apply has no third argument.
    void history_apply(std::uint64_t through, const Array<jarvis_history_row>& rows, const Array<jarvis_history_part>& parts);
    void history_parts(const jarvis_history_key& key, const PartSink& sink);
};

template <class T>
struct StorageTable {
    using Writer = typename decltype(std::declval<T&>().snapshot_begin(0))::element_type;
    static constexpr bool keeps_parts = requires(T& storage, const jarvis_history_key& key, const PartSink& sink) {
        storage.history_parts(key, sink);
    };
    static T& self(void* state) noexcept { return *static_cast<T*>(state); }

    static std::int32_t open(const jarvis_open* args, const char* folder, std::uint32_t mode, void** state, char* error,
                             std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] {
            *state = new T(Settings(*args), std::string_view(folder), static_cast<jarvis_storage_mode>(mode));
        });
    }
    static void close(void* state) noexcept { delete static_cast<T*>(state); }
    static void status(void* state, std::uint32_t* condition, char* text, std::uint32_t size) noexcept
    {
        const std::int32_t code = guarded(text, size, [&] {
            const Status now = self(state).status();
            *condition = now.condition;
            write_text(text, size, now.text);
        });
        if (code != JARVIS_OK)
            *condition = JARVIS_STORAGE_FAILED;
    }
    static std::int32_t append(void* state, const jarvis_group* groups, std::uint32_t count, std::uint32_t group_size,
                               std::uint32_t blob_size, std::uint32_t* outcome, char* error,
                               std::uint32_t size) noexcept
    {
        *outcome = JARVIS_APPEND_UNKNOWN;
        return guarded(error, size, [&] {
            try {
                self(state).append(Groups(Array<jarvis_group>(groups, count, group_size), blob_size));
            } catch (const AppendFailure& failure) {
                *outcome = failure.outcome();
                throw;
            }
            *outcome = JARVIS_APPEND_STORED;
        });
    }
    static std::int32_t read(void* state, std::uint64_t from, jarvis_each_group each, void* context, char* error,
                             std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { self(state).read(from, GroupSink(each, context)); });
    }
    static std::int32_t last_sequence(void* state, std::uint64_t* out, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { *out = self(state).last_sequence(); });
    }
    static std::int32_t trim(void* state, std::uint64_t before, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { self(state).trim(before); });
    }
    static std::int32_t probe(void* state, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { self(state).probe(); });
    }
    static std::int32_t blob_get(void* state, const std::uint8_t* hash, jarvis_each_piece each, void* context,
                                 char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] {
            Hash key;
            std::copy_n(hash, key.size(), key.begin());
            self(state).blob_get(key, PieceSink(each, context));
        });
    }
    static std::int32_t sweep(void* state, const std::uint8_t* referenced, std::uint64_t count, std::uint64_t through,
                              std::uint64_t* removed, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] {
            *removed = 0;
            // An array of bytes has no alignment, so the hashes can be looked at where they are.
            const auto* first = reinterpret_cast<const Hash*>(referenced);
            *removed = self(state).sweep(std::span<const Hash>(first, count), through);
        });
    }
    static std::int32_t snapshot_begin(void* state, std::uint64_t sequence, void** writer, char* error,
                                       std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { *writer = self(state).snapshot_begin(sequence).release(); });
    }
    static std::int32_t snapshot_write(void*, void* writer, const void* data, std::uint64_t length, char* error,
                                       std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { static_cast<Writer*>(writer)->write(view(data, length)); });
    }
    static std::int32_t snapshot_commit(void*, void* writer, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { std::unique_ptr<Writer>(static_cast<Writer*>(writer))->commit(); });
    }
    static void snapshot_abort(void*, void* writer) noexcept { delete static_cast<Writer*>(writer); }
    static std::int32_t snapshot_list(void* state, jarvis_each_snapshot each, void* context, char* error,
                                      std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { self(state).snapshot_list(SnapshotSink(each, context)); });
    }
    static std::int32_t snapshot_read(void* state, std::uint64_t sequence, jarvis_each_piece each, void* context,
                                      char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { self(state).snapshot_read(sequence, PieceSink(each, context)); });
    }
    static std::int32_t snapshot_remove(void* state, std::uint64_t before, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { self(state).snapshot_remove(before); });
    }
    static std::int32_t history_apply(void* state, std::uint64_t through, const jarvis_history_row* rows,
                                      std::uint64_t count, std::uint32_t row_size, char* error,
                                      std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] {
            const Array<jarvis_history_row> all(rows, count, row_size);
            if constexpr (keeps_parts)
                self(state).history_apply(through, all, Array<jarvis_history_part>(nullptr, 0, sizeof(jarvis_history_part)));
            else
                self(state).history_apply(through, all);
        });
    }
    static std::int32_t history_apply_parts(void* state, std::uint64_t through, const jarvis_history_row* rows, std::uint64_t row_count,
                                            std::uint32_t row_size, const jarvis_history_part* parts, std::uint64_t part_count,
                                            std::uint32_t part_size, char* error, std::uint32_t size) noexcept
        requires keeps_parts
    {
        return guarded(error, size, [&] {
            self(state).history_apply(through, Array<jarvis_history_row>(rows, row_count, row_size),
                                      Array<jarvis_history_part>(parts, part_count, part_size));
        });
    }
    static std::int32_t history_parts(void* state, const jarvis_history_key* key, jarvis_each_part each, void* context, char* error,
                                      std::uint32_t size) noexcept
        requires keeps_parts
    {
        return guarded(error, size, [&] { self(state).history_parts(*key, PartSink(each, context)); });
    }
    static std::int32_t history_last_sequence(void* state, std::uint64_t* out, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] { *out = self(state).history_last_sequence(); });
    }
    static std::int32_t history_query(void* state, const jarvis_history_filter* filter, jarvis_each_row each,
                                      void* context, char* error, std::uint32_t size) noexcept
    {
        return guarded(error, size, [&] {
            jarvis_history_filter known{};
            std::memcpy(&known, filter, std::min<std::size_t>(filter->struct_size, sizeof known));
            self(state).history_query(known, RowSink(each, context));
        });
    }

    static jarvis_storage make(const About& about) noexcept
    {
        jarvis_storage table{};
        table.header = header("storage", about, sizeof table);
        table.open = open;
        table.close = close;
        table.status = status;
        table.append = append;
        table.read = read;
        table.last_sequence = last_sequence;
        table.trim = trim;
        table.probe = probe;
        table.blob_get = blob_get;
        table.sweep = sweep;
        table.snapshot_begin = snapshot_begin;
        table.snapshot_write = snapshot_write;
        table.snapshot_commit = snapshot_commit;
        table.snapshot_abort = snapshot_abort;
        table.snapshot_list = snapshot_list;
        table.snapshot_read = snapshot_read;
        table.snapshot_remove = snapshot_remove;
        table.history_apply = history_apply;
        table.history_last_sequence = history_last_sequence;
        table.history_query = history_query;
        if constexpr (keeps_parts) {
            table.history_apply_parts = history_apply_parts;
            table.history_parts = history_parts;
        }
        return table;
    }
};

} // namespace jarvis_plugin

#define JARVIS_STORAGE_PLUGIN(Class, about)                                                                            \
    extern "C" const jarvis_storage* jarvis_storage_entry(void)                                                        \
    {                                                                                                                  \
        static const jarvis_storage table = jarvis_plugin::StorageTable<Class>::make about;                            \
        return &table;                                                                                                 \
    }

#endif
