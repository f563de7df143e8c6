#include "plugin/storage_checks.hpp"

#include <algorithm>

namespace jarvis::plugin::storage_checks {

BlobHash hash_of(std::uint64_t number)
{
    BlobHash hash{};
    for (std::size_t i = 0; i < 8; ++i)
        hash[i] = static_cast<std::uint8_t>(number >> (56 - 8 * i)); // ascending numbers are ascending hashes
    hash[31] = 1;
    return hash;
}

void append(Storage& storage, std::uint64_t sequence, std::string_view data, std::span<const Blob> blobs,
            bool use_reserve)
{
    const auto done = storage.append(Group{SequenceNumber{sequence}, data, blobs, use_reserve});
    require(static_cast<bool>(done), "append of group {}: {}", sequence, done.error.message);
}

void append_many(Storage& storage, std::uint64_t first, std::uint64_t count)
{
    std::vector<std::string> data;
    std::vector<Group> groups;
    for (std::uint64_t i = 0; i < count; ++i)
        data.push_back(fmt::format("group {}", first + i));
    for (std::uint64_t i = 0; i < count; ++i)
        groups.push_back({SequenceNumber{first + i}, data[i], {}, false});
    const auto done = storage.append(groups);
    require(static_cast<bool>(done), "append of {} groups: {}", count, done.error.message);
}

Groups read_from(Storage& storage, std::uint64_t from)
{
    Groups groups;
    need(storage.read(SequenceNumber{from},
                      [&](SequenceNumber sequence, std::string_view data) {
                          groups.emplace_back(sequence.value, data);
                          return true;
                      }),
         "read");
    return groups;
}

std::uint64_t last(Storage& storage)
{
    return need(storage.last_sequence(), "last_sequence").value;
}

void write_snapshot(Storage& storage, std::uint64_t sequence, std::span<const std::string> pieces)
{
    auto writer = need(storage.begin_snapshot(SequenceNumber{sequence}), "begin_snapshot");
    for (const auto& piece : pieces)
        need(writer.write(piece), "write a snapshot");
    need(writer.commit(), "commit a snapshot");
}

WallTime at(std::int64_t seconds)
{
    return WallTime(std::chrono::seconds(seconds));
}

HistoryRow row(std::uint64_t sequence, std::uint64_t job, JobState state, std::int64_t submitted, std::int64_t ended,
               std::string_view record)
{
    return {SequenceNumber{sequence},
            JobId{job},
            Incarnation{1},
            1000,
            state,
            "alice",
            at(submitted),
            at(submitted + 1),
            ended ? at(ended) : WallTime{},
            record};
}

std::vector<Seen> query(Storage& storage, const HistoryFilter& filter)
{
    std::vector<Seen> seen;
    need(storage.query_history(filter,
                               [&](const HistoryRow& found) {
                                   seen.push_back({found.job.value, found.job.task, found.incarnation.value,
                                                   std::string(found.record)});
                                   return true;
                               }),
         "query_history");
    require(std::ranges::is_sorted(seen), "rows did not come in the order of their keys");
    return seen;
}

} // namespace jarvis::plugin::storage_checks
