// The storage plugin "sqlite": the table of jarvis/storage.h over two SQLite databases and a folder of snapshots.
#include "history.hpp"
#include "journal.hpp"
#include "snapshots.hpp"

#include <jarvis/storage.hpp>

#include <array>
#include <cerrno>
#include <filesystem>

namespace sqlite_storage {

namespace {

using jarvis_plugin::Failure;
using jarvis_plugin::Hash;
using jarvis_plugin::Settings;

constexpr std::array settings{
    jarvis_setting{
        "reserve", JARVIS_SETTING_SIZE, 0, "16M", nullptr,
        "Disk space that is kept back for the ends of running jobs, so that they can be recorded when the disk is "
        "full. Submits are "
        "refused as soon as the disk has less space left, beside this, than a quarter of it (at least 1 MiB)."},
    jarvis_setting{"vfs", JARVIS_SETTING_STRING, 0, "", nullptr,
                   "Name of the SQLite VFS through which the databases are read and written. Empty: SQLite's own."},
    jarvis_setting{"vfs_module", JARVIS_SETTING_STRING, 0, "", nullptr,
                   "Path of a loadable SQLite extension that registers that VFS. For tests and special disks."},
};

class SqliteStorage {
    std::string folder_;
    bool read_only_;
    FileDescriptor lock_; // before what writes: released after it is closed
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<History> history_;
    Snapshots snapshots_;

    static FileDescriptor prepare(const std::string& folder, bool read_only)
    {
        if (read_only) {
            if (!std::filesystem::exists(folder + "/journal.db"))
                throw Failure(JARVIS_NOT_FOUND,
                              "state folder " + folder + ": has no journal.db, no controller has been here");
            return FileDescriptor();
        }
        check_file_system(folder);
        return lock_folder(folder);
    }

public:
    SqliteStorage(const Settings& values, std::string_view folder, jarvis_storage_mode mode)
        : folder_(folder), read_only_(mode == JARVIS_STORAGE_READ_ONLY), lock_(prepare(folder_, read_only_)),
          snapshots_(folder_, read_only_)
    {
        if (const std::string module(values.string("vfs_module")); !module.empty())
            load_vfs_module(module);
        const std::string vfs(values.string("vfs"));
        if (!vfs.empty() && !sqlite3_vfs_find(vfs.c_str()))
            throw Failure(JARVIS_INVALID,
                          "vfs: SQLite has none of the name \"" + vfs + "\"; does vfs_module register it?");
        journal_ = std::make_unique<Journal>(
            folder_, vfs, read_only_, static_cast<std::uint64_t>(std::max<std::int64_t>(0, values.size("reserve"))));
        history_ = std::make_unique<History>(folder_, vfs, read_only_);
    }

    jarvis_plugin::Status status() const { return journal_->status(); }
    void append(const jarvis_plugin::Groups& groups) { journal_->append(groups); }
    void read(std::uint64_t from, const jarvis_plugin::GroupSink& sink) { journal_->read(from, sink); }
    std::uint64_t last_sequence() { return journal_->last_sequence(); }
    void trim(std::uint64_t before) { journal_->trim(before); }
    void probe() { journal_->probe(); }
    void blob_get(const Hash& hash, const jarvis_plugin::PieceSink& sink) { journal_->blob_get(hash, sink); }
    std::uint64_t sweep(std::span<const Hash> referenced, std::uint64_t through)
    {
        return journal_->sweep(referenced, through);
    }

    std::unique_ptr<SnapshotWriter> snapshot_begin(std::uint64_t sequence) { return snapshots_.begin(sequence); }
    void snapshot_list(const jarvis_plugin::SnapshotSink& sink) { snapshots_.list(sink); }
    void snapshot_read(std::uint64_t sequence, const jarvis_plugin::PieceSink& sink)
    {
        snapshots_.read(sequence, sink);
    }
    void snapshot_remove(std::uint64_t before) { snapshots_.remove(before); }

    void history_apply(std::uint64_t through, const jarvis_plugin::Array<jarvis_history_row>& rows,
                       const jarvis_plugin::Array<jarvis_history_part>& parts)
    {
        // The history can catch up later from the journal; in a shortage the space is the journal's.
        if (!journal_->has_space())
            throw Failure(JARVIS_UNAVAILABLE,
                          "history: waits until the journal is well again: " + journal_->status().text);
        history_->apply(through, rows, parts);
    }
    std::uint64_t history_last_sequence() { return history_->last_sequence(); }
    void history_query(const jarvis_history_filter& filter, const jarvis_plugin::RowSink& sink)
    {
        history_->query(filter, sink);
    }
    void history_parts(const jarvis_history_key& key, const jarvis_plugin::PartSink& sink) { history_->parts(key, sink); }
};

} // namespace

} // namespace sqlite_storage

JARVIS_STORAGE_PLUGIN(sqlite_storage::SqliteStorage,
                      (jarvis_plugin::About{"sqlite", JARVIS_VERSION,
                                            "journal, snapshots and history in a local folder, with SQLite",
                                            sqlite_storage::settings}))
