// What the checks of a storage share: a storage to try them on, and calls that have to work.
#pragma once

#include "plugin/conformance.hpp"
#include "plugin/storage.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jarvis::plugin::storage_checks {

// A storage in a folder of its own, opened.
class Fixture {
    const Source& source_;
    std::string folder_;
    std::unique_ptr<Storage> storage_;

public:
    Fixture(const Source& source, const std::string& root, std::string_view name)
        : source_(source), folder_(fmt::format("{}/{}", root, name))
    {
        std::filesystem::create_directories(folder_);
        storage_ = load();
        need(storage_->open(folder_), "open");
    }
    std::unique_ptr<Storage> load() const { return need(Storage::load(source_), "load"); }
    const std::string& folder() const { return folder_; }
    Storage& operator*() { return *storage_; }
    Storage* operator->() { return storage_.get(); }
    void reopen()
    {
        storage_->close();
        need(storage_->open(folder_), "open again");
    }
};

struct Check {
    const char* name;
    void (*run)(Fixture&);
};
std::span<const Check> journal_checks(); // and blobs and snapshots
std::span<const Check> history_checks();

BlobHash hash_of(std::uint64_t number);
void append(Storage& storage, std::uint64_t sequence, std::string_view data, std::span<const Blob> blobs = {}, bool use_reserve = false);
void append_many(Storage& storage, std::uint64_t first, std::uint64_t count);
using Groups = std::vector<std::pair<std::uint64_t, std::string>>;
Groups read_from(Storage& storage, std::uint64_t from);
std::uint64_t last(Storage& storage);
void write_snapshot(Storage& storage, std::uint64_t sequence, std::span<const std::string> pieces);

WallTime at(std::int64_t seconds);
HistoryRow row(std::uint64_t sequence, std::uint64_t job, JobState state, std::int64_t submitted, std::int64_t ended, std::string_view record);
struct Seen {
    std::uint64_t job;
    std::uint32_t array_index;
    std::uint32_t incarnation;
    std::string record;
    auto operator<=>(const Seen&) const = default;
};
// In the order of their keys.
std::vector<Seen> query(Storage& storage, const HistoryFilter& filter);

} // namespace jarvis::plugin::storage_checks
