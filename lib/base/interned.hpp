// A value that many hold alike, such as the folder and the account of a user's thousand jobs: each distinct one is kept once, for as
// long as anybody holds it. A holder has the size of a pointer and is copied without a copy of the value, on any thread; the value
// itself never changes. To look one up costs a hash and a lock.
#pragma once

#include "base/keyed_hash.hpp"

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace jarvis {

// Hash: std::uint64_t operator()(const T&) const. A T{} is held without being kept anywhere.
template <class T, class Hash>
class Interned {
    struct Entry {
        std::atomic<std::uint32_t> holders;
        T value;
    };
    struct HashEntry {
        using is_transparent = void;
        std::size_t operator()(const Entry* entry) const { return Hash{}(entry->value); }
        std::size_t operator()(const T& value) const { return Hash{}(value); }
    };
    struct SameEntry {
        using is_transparent = void;
        bool operator()(const Entry* a, const Entry* b) const { return a == b; }
        bool operator()(const Entry* a, const T& b) const { return a->value == b; }
        bool operator()(const T& a, const Entry* b) const { return a == b->value; }
    };
    // Several, so that threads seldom wait for each other.
    struct Shard {
        std::mutex mutex;
        std::unordered_set<Entry*, HashEntry, SameEntry> entries;
    };
    // Never destroyed: holders may be static.
    static Shard& shard_of(const T& value)
    {
        static auto& shards = *new std::array<Shard, 16>;
        return shards[Hash{}(value) >> 60];
    }

    Entry* entry_ = nullptr;

    static Entry* take(T value)
    {
        static const T nothing{};
        if (value == nothing)
            return nullptr;
        Shard& shard = shard_of(value);
        const std::lock_guard lock(shard.mutex);
        if (auto found = shard.entries.find(value); found != shard.entries.end()) {
            (*found)->holders.fetch_add(1, std::memory_order_relaxed);
            return *found;
        }
        auto entry = std::unique_ptr<Entry>(new Entry{1, std::move(value)});
        shard.entries.insert(entry.get());
        return entry.release();
    }

    // The last holder goes under the lock: nobody can find an entry that is about to be deleted.
    static void release(Entry* entry)
    {
        auto holders = entry->holders.load(std::memory_order_relaxed);
        while (holders > 1)
            if (entry->holders.compare_exchange_weak(holders, holders - 1, std::memory_order_release, std::memory_order_relaxed))
                return;
        Shard& shard = shard_of(entry->value);
        const std::lock_guard lock(shard.mutex);
        if (entry->holders.fetch_sub(1, std::memory_order_acq_rel) != 1)
            return;
        shard.entries.erase(entry);
        delete entry;
    }

public:
    Interned() = default;
    Interned(T value) : entry_(take(std::move(value))) {}
    Interned(const char* text) requires std::constructible_from<T, const char*> : entry_(take(T(text))) {}
    Interned(const Interned& other) noexcept : entry_(other.entry_)
    {
        if (entry_)
            entry_->holders.fetch_add(1, std::memory_order_relaxed);
    }
    // What was moved from holds T{}.
    Interned(Interned&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    Interned& operator=(Interned other) noexcept
    {
        std::swap(entry_, other.entry_);
        return *this;
    }
    ~Interned()
    {
        if (entry_)
            release(entry_);
    }

    const T& operator*() const
    {
        static const T nothing{};
        return entry_ ? entry_->value : nothing;
    }
    const T* operator->() const { return &**this; }

    friend bool operator==(const Interned& a, const Interned& b) { return a.entry_ == b.entry_; }
};

struct HashText {
    std::uint64_t operator()(const std::string& text) const noexcept { return keyed_hash(text); }
};
using InternedText = Interned<std::string, HashText>;

struct HashTexts {
    std::uint64_t operator()(const std::vector<std::string>& texts) const noexcept
    {
        std::uint64_t hash = texts.size();
        for (const auto& text : texts)
            hash = keyed_hash(text, hash);
        return hash;
    }
};
using InternedTexts = Interned<std::vector<std::string>, HashTexts>;

} // namespace jarvis
