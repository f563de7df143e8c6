#include "blob_cache.hpp"

namespace jarvis::jctld {

void BlobCache::make_room()
{
    while (unpinned_bytes_ > room_ && !unpinned_.empty()) {
        auto oldest = entries_.find(unpinned_.front());
        unpinned_bytes_ -= oldest->second.bytes->size();
        entries_.erase(oldest);
        unpinned_.pop_front();
    }
}

void BlobCache::pin(const BlobHash& hash, std::string bytes)
{
    std::lock_guard lock(mutex_);
    auto [found, is_new] = entries_.try_emplace(hash);
    auto& entry = found->second;
    if (is_new) {
        entry.bytes = std::make_shared<const std::string>(std::move(bytes));
    } else if (entry.pins == 0) {
        unpinned_bytes_ -= entry.bytes->size();
        unpinned_.erase(entry.place);
    }
    if (entry.pins++ == 0)
        pinned_bytes_ += entry.bytes->size();
}

void BlobCache::unpin(const BlobHash& hash)
{
    std::lock_guard lock(mutex_);
    auto found = entries_.find(hash);
    if (found == entries_.end() || --found->second.pins > 0)
        return;
    found->second.place = unpinned_.insert(unpinned_.end(), hash);
    pinned_bytes_ -= found->second.bytes->size();
    unpinned_bytes_ += found->second.bytes->size();
    make_room();
}

std::size_t BlobCache::pinned_bytes()
{
    std::lock_guard lock(mutex_);
    return pinned_bytes_;
}

BlobBytes BlobCache::put(const BlobHash& hash, std::string bytes)
{
    pin(hash, std::move(bytes));
    auto kept = get(hash);
    unpin(hash);
    return kept;
}

BlobBytes BlobCache::get(const BlobHash& hash)
{
    std::lock_guard lock(mutex_);
    auto found = entries_.find(hash);
    if (found == entries_.end())
        return nullptr;
    if (found->second.pins == 0)
        unpinned_.splice(unpinned_.end(), unpinned_, found->second.place);
    return found->second.bytes;
}

} // namespace jarvis::jctld
