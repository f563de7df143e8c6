// A set of 32-bit indexes (the tasks of an array) as ordered ranges, so that a million tasks are one range.
#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis {

class IndexSet {
public:
    // Closed ranges by their first index; between two of them at least one index is missing, so equal sets compare equal.
    using Ranges = std::map<std::uint32_t, std::uint32_t>;

    IndexSet() = default;
    IndexSet(std::initializer_list<std::uint32_t> indexes)
    {
        for (auto i : indexes)
            insert(i);
    }
    static IndexSet range(std::uint32_t first, std::uint32_t last)
    {
        IndexSet set;
        set.insert_range(first, last);
        return set;
    }

    void insert(std::uint32_t i) { insert_range(i, i); }
    // Both take first <= last, and cost a logarithm and the ranges that they swallow.
    void insert_range(std::uint32_t first, std::uint32_t last);
    void erase(std::uint32_t i) { erase_range(i, i); }
    void erase_range(std::uint32_t first, std::uint32_t last);

    bool contains(std::uint32_t i) const;
    bool empty() const { return ranges_.empty(); }
    std::uint64_t size() const { return size_; }
    // Of a set that is not empty.
    std::uint32_t first() const { return ranges_.begin()->first; }
    std::uint32_t last() const { return ranges_.rbegin()->second; }
    std::uint32_t pop_first();
    // The smallest index of the set that is not below `from`.
    std::optional<std::uint32_t> next(std::uint32_t from) const;

    IndexSet& operator|=(const IndexSet& other);
    IndexSet& operator-=(const IndexSet& other);
    IndexSet& operator&=(const IndexSet& other);
    friend IndexSet operator|(IndexSet a, const IndexSet& b) { return a |= b; }
    friend IndexSet operator-(IndexSet a, const IndexSet& b) { return a -= b; }
    friend IndexSet operator&(IndexSet a, const IndexSet& b) { return a &= b; }
    bool intersects(const IndexSet& other) const;
    // True when every index of `other` is in this set.
    bool includes(const IndexSet& other) const;

    // In ascending order: for (auto [first, last] : set.ranges()).
    const Ranges& ranges() const { return ranges_; }
    // Calls f(index) in ascending order.
    template <class F>
    void for_each(F f) const
    {
        for (auto [first, last] : ranges_)
            for (std::uint64_t i = first; i <= last; ++i)
                f(static_cast<std::uint32_t>(i));
    }

    friend bool operator==(const IndexSet& a, const IndexSet& b) { return a.size_ == b.size_ && a.ranges_ == b.ranges_; }

private:
    Ranges ranges_;
    std::uint64_t size_ = 0;
};

// The indexes first, first+step, ... last.
struct IndexRun {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    std::uint32_t step = 1;
    friend bool operator==(const IndexRun&, const IndexRun&) = default;
};
// The set as runs, ascending; a run has one index, or three or more at one distance.
std::vector<IndexRun> index_runs(const IndexSet& set);

// An index list may name so many indexes by ranges with steps, each of which is a range of its own in the set.
constexpr std::uint64_t max_stepped_indexes = 1'000'000;

// "0-98:2,200": ascending; three or more indexes at one distance are written as a range. Nothing for the empty set.
std::string format_index_set(const IndexSet& set);
// "0-99:2,200,5", in any order, also overlapping; at least one index. Failures name the column, from 1.
Result<IndexSet> parse_index_set(std::string_view text, std::uint32_t max_index);
// One part of such a list, "5", "0-99" or "0-99:2", that begins at text[at], put into the set; `at` is then behind it.
// For lists that have more than parts and commas in them. `stepped` counts what max_stepped_indexes bounds.
Result<void> parse_index_part(std::string_view text, std::size_t& at, std::uint32_t max_index, IndexSet& into,
                              std::uint64_t& stepped);

} // namespace jarvis
