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
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

namespace jarvis {

// Hash: std::uint64_t operator()(const T&) const. A T{} is held without being kept anywhere.
template <class T, class Hash>
class Interned {
    struct Entry {
        std::atomic<std::uint32_t> holders;
        std::uint32_t hash;
        T value;
    };
    // What is looked for, hashed once: a value, or what one can be made of.
    template <class V>
    struct Wanted {
        const V& value;
        std::uint32_t hash;
    };
    struct HashEntry {
        using is_transparent = void;
        std::size_t operator()(const Entry* entry) const { return entry->hash; }
        template <class V>
        std::size_t operator()(const Wanted<V>& wanted) const { return wanted.hash; }
    };
    struct SameEntry {
        using is_transparent = void;
        bool operator()(const Entry* a, const Entry* b) const { return a == b; }
        template <class V>
        bool operator()(const Entry* a, const Wanted<V>& b) const { return a->hash == b.hash && a->value == b.value; }
        template <class V>
        bool operator()(const Wanted<V>& a, const Entry* b) const { return (*this)(b, a); }
    };
    // Several, so that threads seldom wait for each other.
    struct Shard {
        std::mutex mutex;
        boost::unordered_flat_set<Entry*, HashEntry, SameEntry> entries;
    };
    // Never destroyed: holders may be static.
    static Shard& shard_of(std::uint32_t hash)
    {
        static auto& shards = *new std::array<Shard, 16>;
        return shards[hash >> 28];
    }

    Entry* entry_ = nullptr;

    template <class V>
    static Entry* take(V&& value)
    {
        static const T nothing{};
        if (value == nothing)
            return nullptr;
        const Wanted<std::remove_reference_t<V>> wanted{value, static_cast<std::uint32_t>(Hash{}(value))};
        Shard& shard = shard_of(wanted.hash);
        const std::lock_guard lock(shard.mutex);
        if (auto found = shard.entries.find(wanted); found != shard.entries.end()) {
            (*found)->holders.fetch_add(1, std::memory_order_relaxed);
            return *found;
        }
        auto entry = std::unique_ptr<Entry>(new Entry{1, wanted.hash, T(std::forward<V>(value))});
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
        Shard& shard = shard_of(entry->hash);
        const std::lock_guard lock(shard.mutex);
        if (entry->holders.fetch_sub(1, std::memory_order_acq_rel) != 1)
            return;
        shard.entries.erase(entry);
        delete entry;
    }

public:
    Interned() = default;
    Interned(T value) requires(!std::same_as<T, std::string>) : entry_(take(std::move(value))) {}
    // Copied only when it is not there yet.
    Interned(std::string_view text) requires std::same_as<T, std::string> : entry_(take(text)) {}
    Interned(const std::string& text) requires std::same_as<T, std::string> : entry_(take(std::string_view(text))) {}
    Interned(const char* text) requires std::same_as<T, std::string> : entry_(take(std::string_view(text))) {}
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
    std::uint64_t operator()(std::string_view text) const noexcept { return keyed_hash(text); }
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
