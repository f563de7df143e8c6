#include "base/index_set.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <tuple>

namespace jarvis {

void IndexSet::insert_range(std::uint32_t first, std::uint32_t last)
{
    // The first range that touches the new one: the one before, if it reaches to first-1, else the one behind.
    auto at = ranges_.upper_bound(first);
    if (at != ranges_.begin()) {
        auto before = std::prev(at);
        if (before->second >= last)
            return;
        if (std::uint64_t{before->second} + 1 >= first)
            at = before;
    }
    while (at != ranges_.end() && at->first <= std::uint64_t{last} + 1) {
        first = std::min(first, at->first);
        last = std::max(last, at->second);
        size_ -= std::uint64_t{at->second} - at->first + 1;
        at = ranges_.erase(at);
    }
    ranges_.emplace_hint(at, first, last);
    size_ += std::uint64_t{last} - first + 1;
}

void IndexSet::erase_range(std::uint32_t first, std::uint32_t last)
{
    auto at = ranges_.upper_bound(first);
    if (at != ranges_.begin() && std::prev(at)->second >= first)
        --at;
    while (at != ranges_.end() && at->first <= last) {
        const auto [from, to] = *at;
        at = ranges_.erase(at);
        size_ -= std::uint64_t{std::min(to, last)} - std::max(from, first) + 1;
        if (to > last)
            at = ranges_.emplace_hint(at, last + 1, to);
        if (from < first)
            ranges_.emplace_hint(at, from, first - 1);
        if (to >= last)
            return;
    }
}

bool IndexSet::contains(std::uint32_t i) const
{
    auto at = ranges_.upper_bound(i);
    return at != ranges_.begin() && std::prev(at)->second >= i;
}

std::uint32_t IndexSet::pop_first()
{
    const auto i = first();
    erase(i);
    return i;
}

std::optional<std::uint32_t> IndexSet::next(std::uint32_t from) const
{
    auto at = ranges_.upper_bound(from);
    if (at != ranges_.begin() && std::prev(at)->second >= from)
        return from;
    return at == ranges_.end() ? std::nullopt : std::optional(at->first);
}

IndexSet& IndexSet::operator|=(const IndexSet& other)
{
    for (auto [first, last] : Ranges(other.ranges_)) // a copy: the other may be this one
        insert_range(first, last);
    return *this;
}

IndexSet& IndexSet::operator-=(const IndexSet& other)
{
    for (auto [first, last] : Ranges(other.ranges_))
        erase_range(first, last);
    return *this;
}

IndexSet& IndexSet::operator&=(const IndexSet& other)
{
    IndexSet both;
    for (auto a = ranges_.cbegin(), b = other.ranges_.cbegin(); a != ranges_.cend() && b != other.ranges_.cend();) {
        const auto first = std::max(a->first, b->first), last = std::min(a->second, b->second);
        if (first <= last)
            both.insert_range(first, last);
        const bool a_ends = a->second <= b->second, b_ends = b->second <= a->second;
        if (a_ends)
            ++a;
        if (b_ends)
            ++b;
    }
    return *this = std::move(both);
}

bool IndexSet::intersects(const IndexSet& other) const
{
    const auto& [few, many] = ranges_.size() < other.ranges_.size() ? std::tie(*this, other) : std::tie(other, *this);
    return std::ranges::any_of(few.ranges_, [&](const auto& range) {
        auto found = many.next(range.first);
        return found && *found <= range.second;
    });
}

bool IndexSet::includes(const IndexSet& other) const
{
    return std::ranges::all_of(other.ranges_, [&](const auto& range) {
        auto at = ranges_.upper_bound(range.first);
        return at != ranges_.begin() && std::prev(at)->second >= range.second;
    });
}

// --- text ---

namespace {

// Takes ascending indexes, and keeps those at one distance together. What is not yet kept is at most a run.
class RunCollector {
    std::vector<IndexRun> runs_;
    std::uint32_t first_ = 0, last_ = 0, step_ = 0;
    std::uint64_t count_ = 0;

public:
    void add(std::uint32_t i)
    {
        if (count_ >= 3 && i - last_ != step_) {
            flush();
        } else if (count_ == 2 && i - last_ != step_) { // the first one stands alone; the second may begin a run
            runs_.push_back({first_, first_, 1});
            first_ = last_;
            count_ = 1;
        }
        if (count_ == 0)
            first_ = i;
        else if (count_ == 1)
            step_ = i - first_;
        last_ = i;
        ++count_;
    }

    void add_range(std::uint32_t first, std::uint32_t last)
    {
        flush();
        runs_.push_back({first, last, 1});
    }

    void flush()
    {
        if (count_ >= 3)
            runs_.push_back({first_, last_, step_});
        else if (count_ >= 1)
            runs_.push_back({first_, first_, 1});
        if (count_ == 2)
            runs_.push_back({last_, last_, 1});
        count_ = 0;
    }

    std::vector<IndexRun> take()
    {
        flush();
        return std::move(runs_);
    }
};

template <class... Args>
std::unexpected<Error> refuse(std::string_view text, std::size_t at, fmt::format_string<Args...> format, Args&&... args)
{
    // A list of many indexes is long, so the message shows its beginning alone.
    return fail(Errc::invalid, "index list \"{}{}\", column {}: {}", escape_for_terminal(text.substr(0, 60)),
                text.size() > 60 ? "..." : "", at + 1, fmt::format(format, std::forward<Args>(args)...));
}

Result<std::uint32_t> read_number(std::string_view text, std::size_t& at, std::uint32_t most, std::string_view what)
{
    const auto end = std::min(text.find_first_not_of("0123456789", at), text.size());
    if (end == at)
        return refuse(text, at, "expected {}, as in \"0-99:2,200\"", what);
    std::uint32_t value = 0;
    const auto [_, error] = std::from_chars(text.data() + at, text.data() + end, value);
    if (error != std::errc() || value > most)
        return refuse(text, at, "{} is at most {}", what, most);
    at = end;
    return value;
}

} // namespace

std::vector<IndexRun> index_runs(const IndexSet& set)
{
    RunCollector collector;
    for (auto [first, last] : set.ranges()) {
        if (last - first >= 2) {
            collector.add_range(first, last);
            continue;
        }
        collector.add(first);
        if (last != first)
            collector.add(last);
    }
    return collector.take();
}

std::string format_index_set(const IndexSet& set)
{
    std::string text;
    for (const auto& run : index_runs(set)) {
        fmt::format_to(std::back_inserter(text), "{}{}", text.empty() ? "" : ",", run.first);
        if (run.last != run.first)
            fmt::format_to(std::back_inserter(text), "-{}", run.last);
        if (run.step != 1)
            fmt::format_to(std::back_inserter(text), ":{}", run.step);
    }
    return text;
}

Result<void> parse_index_part(std::string_view text, std::size_t& at, std::uint32_t max_index, IndexSet& into,
                              std::uint64_t& stepped)
{
    const auto start = at;
    const auto first = read_number(text, at, max_index, "an index");
    if (!first)
        return std::unexpected(first.error());
    if (at == text.size() || text[at] != '-') {
        into.insert(*first);
        return {};
    }
    const auto last = read_number(text, ++at, max_index, "an index");
    if (!last)
        return std::unexpected(last.error());
    if (*last < *first)
        return refuse(text, start, "the range {}-{} runs backwards; write {}-{}", *first, *last, *last, *first);
    if (at == text.size() || text[at] != ':') {
        into.insert_range(*first, *last);
        return {};
    }
    const auto step_at = ++at;
    const auto step = read_number(text, at, UINT32_MAX, "a step");
    if (!step)
        return std::unexpected(step.error());
    if (*step == 0)
        return refuse(text, step_at, "a step of 0 would never end; it is at least 1");
    if (*step == 1) {
        into.insert_range(*first, *last);
        return {};
    }
    stepped += (*last - *first) / *step + 1;
    if (stepped > max_stepped_indexes)
        return refuse(text, start, "ranges with steps name more than {} indexes in all", max_stepped_indexes);
    for (std::uint64_t i = *first; i <= *last; i += *step)
        into.insert(static_cast<std::uint32_t>(i));
    return {};
}

Result<IndexSet> parse_index_set(std::string_view text, std::uint32_t max_index)
{
    if (text.empty())
        return fail(Errc::invalid, "the index list is empty; expected indexes, as in \"0-99:2,200\"");
    IndexSet set;
    std::uint64_t stepped = 0;
    for (std::size_t at = 0;;) {
        if (auto part = parse_index_part(text, at, max_index, set, stepped); !part)
            return std::unexpected(part.error());
        if (at == text.size())
            return set;
        if (text[at] != ',')
            return refuse(text, at, "expected a digit, \"-\", \":\" or \",\"");
        ++at;
    }
}

} // namespace jarvis
