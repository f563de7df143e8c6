// A set of cores of one node, by logical index (hwloc's numbering of cores, from 0).
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace jarvis {

class CoreSet {
    std::vector<std::uint64_t> words_; // no trailing zero word, so that equal sets compare equal

    void trim()
    {
        while (!words_.empty() && words_.back() == 0)
            words_.pop_back();
    }

public:
    CoreSet() = default;
    // The cores first .. first+count-1.
    static CoreSet range(std::uint32_t first, std::uint32_t count)
    {
        CoreSet set;
        for (std::uint32_t core = first; core < first + count; ++core)
            set.insert(core);
        return set;
    }
    static CoreSet from_words(std::vector<std::uint64_t> words)
    {
        CoreSet set;
        set.words_ = std::move(words);
        set.trim();
        return set;
    }
    const std::vector<std::uint64_t>& words() const { return words_; }

    void insert(std::uint32_t core)
    {
        if (words_.size() <= core / 64)
            words_.resize(core / 64 + 1);
        words_[core / 64] |= std::uint64_t{1} << (core % 64);
    }
    bool contains(std::uint32_t core) const
    {
        return core / 64 < words_.size() && (words_[core / 64] >> (core % 64) & 1);
    }
    std::uint32_t count() const
    {
        std::uint32_t n = 0;
        for (auto word : words_)
            n += static_cast<std::uint32_t>(std::popcount(word));
        return n;
    }
    bool empty() const { return words_.empty(); }
    bool intersects(const CoreSet& other) const
    {
        for (std::size_t i = 0; i < words_.size() && i < other.words_.size(); ++i)
            if (words_[i] & other.words_[i])
                return true;
        return false;
    }
    CoreSet& operator|=(const CoreSet& other)
    {
        if (words_.size() < other.words_.size())
            words_.resize(other.words_.size());
        for (std::size_t i = 0; i < other.words_.size(); ++i)
            words_[i] |= other.words_[i];
        return *this;
    }
    CoreSet& operator-=(const CoreSet& other)
    {
        for (std::size_t i = 0; i < words_.size() && i < other.words_.size(); ++i)
            words_[i] &= ~other.words_[i];
        trim();
        return *this;
    }
    friend CoreSet operator|(CoreSet a, const CoreSet& b) { return a |= b; }
    friend CoreSet operator-(CoreSet a, const CoreSet& b) { return a -= b; }
    friend bool operator==(const CoreSet&, const CoreSet&) = default;

    // Calls f(core) in ascending order.
    template <class F>
    void for_each(F f) const
    {
        for (std::size_t i = 0; i < words_.size(); ++i)
            for (auto word = words_[i]; word != 0; word &= word - 1)
                f(static_cast<std::uint32_t>(i * 64 + std::countr_zero(word)));
    }
};

// The kernel's list format (cpuset(7), "List format"): "0-3,8".
std::string format_list(const CoreSet& set);

} // namespace jarvis
