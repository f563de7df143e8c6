// journal.db: groups of events, and the blobs that they name.
#pragma once

#include "database.hpp"
#include "folder.hpp"

#include <atomic>
#include <condition_variable>
#include <optional>

namespace sqlite_storage {

// A mutex that serves in the order of asking, so that a trim of many slices cannot starve the appends between them.
class FairMutex {
    std::mutex mutex_;
    std::condition_variable turn_;
    std::uint64_t next_ticket_ = 0;
    std::uint64_t serving_ = 0;

public:
    void lock();
    void unlock();
};

class Journal {
    // What appends, trims and the like need; none when the storage was opened for reading alone.
    struct Writer {
        std::unique_ptr<Connection> connection;
        Statement insert_group, find_blob, touch_blob, insert_blob, insert_blob_data;
        Statement trim, set_trimmed, count_probe, next_blobs, remove_blob, remove_blob_data;
        std::uint64_t last = 0;
    };
    // Why nothing is taken at the moment.
    struct Trouble {
        jarvis_storage_condition condition = JARVIS_STORAGE_OK;
        bool reopen = false; // an outcome is unknown: only opening again tells what is there
        std::string text;
    };

    std::string folder_;
    std::unique_ptr<Space> space_;
    Readers readers_;
    FairMutex mutex_; // of writer_ and space_
    std::optional<Writer> writer_;
    mutable std::mutex trouble_mutex_; // held for a copy, never over I/O: status() must not block
    Trouble trouble_;

    Writer& writer();
    void set_trouble(Trouble trouble);
    Trouble trouble() const;
    void admit(const jarvis_plugin::Groups& groups);
    void check_sequence(const jarvis_plugin::Groups& groups);
    void insert(const jarvis_plugin::Groups& groups);
    void insert_blob(const jarvis_blob& blob, std::uint64_t sequence);
    void commit(Transaction& transaction);
    [[noreturn]] void refuse(const DatabaseError& error);
    void check_space();
    std::uint64_t sweep_slice(std::span<const jarvis_plugin::Hash> referenced, std::uint64_t through,
                              std::int64_t& position, bool& done);

public:
    Journal(const std::string& folder, const std::string& vfs, bool read_only, std::uint64_t reserve);

    jarvis_plugin::Status status() const;
    void append(const jarvis_plugin::Groups& groups);
    void read(std::uint64_t from, const jarvis_plugin::GroupSink& sink);
    std::uint64_t last_sequence();
    void trim(std::uint64_t before);
    void probe();
    void blob_get(const jarvis_plugin::Hash& hash, const jarvis_plugin::PieceSink& sink);
    std::uint64_t sweep(std::span<const jarvis_plugin::Hash> referenced, std::uint64_t through);
    // Whether other parts may use the disk, which in a shortage belongs to the journal alone.
    bool has_space() const { return trouble().condition == JARVIS_STORAGE_OK; }
};

} // namespace sqlite_storage
