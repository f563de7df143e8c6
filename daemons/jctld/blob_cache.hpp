// Scripts and environments in memory: pinned from the submit until their group is durable, then kept while there is room,
// since most jobs start soon after their submit.
#pragma once

#include "model/job_request.hpp"

#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace jarvis::jctld {

using BlobBytes = std::shared_ptr<const std::string>;

struct HashBlobHash {
    std::size_t operator()(const BlobHash& hash) const noexcept
    {
        std::size_t part;
        std::memcpy(&part, hash.data(), sizeof part); // a SHA-256 hashes itself
        return part;
    }
};

// Any thread.
class BlobCache {
    struct Entry {
        BlobBytes bytes;
        std::uint32_t pins = 0;
        std::list<BlobHash>::iterator place; // in unpinned_, while pins is 0
    };
    std::mutex mutex_;
    std::unordered_map<BlobHash, Entry, HashBlobHash> entries_;
    std::list<BlobHash> unpinned_; // least recently used first
    std::size_t unpinned_bytes_ = 0;
    std::size_t pinned_bytes_ = 0;
    std::size_t room_;

    void make_room();

public:
    explicit BlobCache(std::size_t room_bytes) : room_(room_bytes) {}

    // Keeps the blob until as many unpins.
    void pin(const BlobHash& hash, std::string bytes);
    void unpin(const BlobHash& hash);
    std::size_t pinned_bytes();
    // Keeps the blob while there is room.
    BlobBytes put(const BlobHash& hash, std::string bytes);
    // Nothing when it is not here (it is in the storage).
    BlobBytes get(const BlobHash& hash);
};

} // namespace jarvis::jctld
