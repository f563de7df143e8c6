// snapshots/: one file for each snapshot, written beside its place, checked, and moved there.
#pragma once

#include "folder.hpp"

#include <jarvis/storage.hpp>

#include <memory>
#include <string>

namespace sqlite_storage {

class SnapshotWriter {
    std::string folder_;
    std::string temporary_;
    std::string final_;
    FileDescriptor file_;
    std::uint64_t size_ = 0;
    std::uint32_t checksum_ = 0;
    bool done_ = false;

    void write_all(std::string_view data);

public:
    SnapshotWriter(const std::string& folder, std::uint64_t sequence);
    SnapshotWriter(const SnapshotWriter&) = delete;
    ~SnapshotWriter();
    void write(std::string_view data);
    void commit();
};

class Snapshots {
    std::string folder_;
    bool read_only_;

    void check_writable() const;

public:
    Snapshots(const std::string& state_folder, bool read_only);
    std::unique_ptr<SnapshotWriter> begin(std::uint64_t sequence);
    void list(const jarvis_plugin::SnapshotSink& sink);
    void read(std::uint64_t sequence, const jarvis_plugin::PieceSink& sink);
    void remove(std::uint64_t before);
};

} // namespace sqlite_storage
