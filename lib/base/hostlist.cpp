#include "base/hostlist.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_set>

namespace jarvis {

namespace {

constexpr std::size_t longest_host_name = 253; // as in the domain name system (RFC 1035, less the length bytes)
constexpr std::size_t most_digits = 18;        // of a number in a range; they fit in 64 bits

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }

std::uint64_t number(std::string_view digits)
{
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

// Reads one list from left to right; at_ is always the next byte to read.
class Expander {
    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t limit_;
    std::vector<std::string> names_;
    std::unordered_set<std::string> seen_;

    bool done() const { return at_ == text_.size(); }
    char peek() const { return done() ? '\0' : text_[at_]; }

    template <class... Args>
    std::unexpected<Error> refuse(std::size_t at, fmt::format_string<Args...> format, Args&&... args) const
    {
        // A list of many nodes is long, so the message shows the list's beginning alone.
        std::string shown(text_.substr(0, 60));
        return jarvis::fail(Errc::invalid, "host list \"{}{}\", column {}: {}", shown, text_.size() > 60 ? "..." : "", at + 1,
                            fmt::format(format, std::forward<Args>(args)...));
    }

    Result<std::string_view> digits()
    {
        auto start = at_;
        while (!done() && is_digit(peek()))
            ++at_;
        if (at_ == start)
            return refuse(start, "expected a number");
        if (at_ - start > most_digits)
            return refuse(start, "a number has at most {} digits", most_digits);
        return text_.substr(start, at_ - start);
    }

    // One "first-last" or "number" inside brackets.
    Result<void> range(std::vector<std::string>& into)
    {
        auto start = at_;
        auto first = digits();
        if (!first)
            return std::unexpected(first.error());
        auto last = first;
        if (peek() == '-') {
            ++at_;
            last = digits();
            if (!last)
                return std::unexpected(last.error());
        }
        auto from = number(*first), to = number(*last);
        if (to < from)
            return refuse(start, "the range {}-{} runs backwards", *first, *last);
        if (to - from >= limit_ - into.size())
            return refuse(start, "more than {} names", limit_);
        const std::size_t width = first->front() == '0' ? first->size() : 1;
        for (auto n = from; n <= to; ++n)
            into.push_back(fmt::format("{:0{}}", n, width));
        return {};
    }

    Result<std::vector<std::string>> bracket()
    {
        auto start = at_++;
        std::vector<std::string> numbers;
        while (true) {
            if (auto ok = range(numbers); !ok)
                return std::unexpected(ok.error());
            if (peek() == ']') {
                ++at_;
                return numbers;
            }
            if (done())
                return refuse(start, "this \"[\" has no \"]\"");
            if (peek() != ',')
                return refuse(at_, "expected a digit, \"-\", \",\" or \"]\"");
            ++at_;
        }
    }

    // One word between commas, brackets included.
    Result<void> word()
    {
        auto start = at_;
        std::vector<std::string> words{""};
        while (!done() && peek() != ',') {
            if (peek() == '[') {
                auto numbers = bracket();
                if (!numbers)
                    return std::unexpected(numbers.error());
                if (words.size() > limit_ / numbers->size())
                    return refuse(start, "more than {} names", limit_);
                std::vector<std::string> product;
                product.reserve(words.size() * numbers->size());
                for (const auto& w : words)
                    for (const auto& n : *numbers)
                        product.push_back(w + n);
                words = std::move(product);
                continue;
            }
            if (!is_name_character(peek()))
                return refuse(at_, "a name has letters, digits, \"-\", \"_\" and \".\"");
            auto plain = at_;
            while (!done() && is_name_character(peek()))
                ++at_;
            for (auto& w : words)
                w += text_.substr(plain, at_ - plain);
        }
        return add(start, std::move(words));
    }

    Result<void> add(std::size_t start, std::vector<std::string> words)
    {
        if (words.front().empty())
            return refuse(start, "expected a name");
        for (auto& w : words) {
            if (!is_host_name(w))
                return refuse(start, "{}", w.size() > longest_host_name ? "a name has at most 253 bytes"
                                                                        : "a name begins with a letter or digit");
            if (!seen_.insert(w).second)
                continue;
            if (names_.size() == limit_)
                return refuse(start, "more than {} names", limit_);
            names_.push_back(std::move(w));
        }
        return {};
    }

public:
    Expander(std::string_view text, std::size_t limit) : text_(text), limit_(limit) {}

    Result<std::vector<std::string>> run()
    {
        if (text_.empty())
            return jarvis::fail(Errc::invalid, "the host list is empty");
        while (true) {
            if (auto ok = word(); !ok)
                return std::unexpected(ok.error());
            if (done())
                return std::move(names_);
            ++at_; // the comma
        }
    }
};

// A name cut at its last number: prefix, digits, suffix. Names without one have no digits.
struct Parts {
    std::string prefix, digits, suffix;
};

Parts split(const std::string& name)
{
    auto end = name.size();
    while (end > 0 && !is_digit(name[end - 1]))
        --end;
    auto begin = end;
    while (begin > 0 && is_digit(name[begin - 1]))
        --begin;
    if (begin == end || end - begin > most_digits || !is_host_name(name))
        return {name, "", ""};
    return {name.substr(0, begin), name.substr(begin, end - begin), name.substr(end)};
}

// "1-3,5" for ascending numbers written with the same width.
std::string ranges(const std::vector<std::uint64_t>& numbers, std::size_t width)
{
    std::string text;
    for (std::size_t i = 0; i < numbers.size();) {
        auto j = i;
        while (j + 1 < numbers.size() && numbers[j + 1] == numbers[j] + 1)
            ++j;
        text += fmt::format("{}{:0{}}", text.empty() ? "" : ",", numbers[i], width);
        if (j > i)
            text += fmt::format("-{:0{}}", numbers[j], width);
        i = j + 1;
    }
    return text;
}

} // namespace

bool is_host_name(std::string_view name)
{
    return !name.empty() && name.size() <= longest_host_name && is_alnum(name.front()) &&
           std::ranges::all_of(name, is_name_character);
}

Result<std::vector<std::string>> expand_hostlist(std::string_view text, std::size_t limit)
{
    return Expander(text, limit).run();
}

std::string compress_hostlist(std::span<const std::string> names)
{
    // Numbers with a leading zero share a range with those of their width alone; the others have width 1.
    std::map<std::tuple<std::string, std::string, std::size_t>, std::vector<std::uint64_t>> groups;
    for (const auto& name : names) {
        auto parts = split(name);
        auto& numbers = groups[{parts.prefix, parts.suffix,
                                parts.digits.empty() ? 0 : parts.digits.front() == '0' ? parts.digits.size() : 1}];
        if (!parts.digits.empty())
            numbers.push_back(number(parts.digits));
    }
    // 001-009 and 100-128 are one range: numbers that fill their width join those that are padded to it.
    for (auto& [key, numbers] : groups) {
        const auto& [prefix, suffix, width] = key;
        if (width < 2)
            continue;
        auto plain = groups.find({prefix, suffix, 1});
        if (plain == groups.end())
            continue;
        std::erase_if(plain->second, [&](std::uint64_t n) {
            bool fills = fmt::formatted_size("{}", n) == width;
            if (fills)
                numbers.push_back(n);
            return fills;
        });
    }
    std::string text;
    for (auto& [key, numbers] : groups) {
        const auto& [prefix, suffix, width] = key;
        if (width > 0 && numbers.empty())
            continue;
        std::ranges::sort(numbers);
        numbers.erase(std::ranges::unique(numbers).begin(), numbers.end());
        text += text.empty() ? "" : ",";
        if (width == 0)
            text += prefix;
        else if (numbers.size() == 1)
            text += fmt::format("{}{:0{}}{}", prefix, numbers.front(), width, suffix);
        else
            text += fmt::format("{}[{}]{}", prefix, ranges(numbers, width), suffix);
    }
    return text;
}

std::string hostlist_in_order(std::span<const std::string> names)
{
    auto compressed = compress_hostlist(names);
    const auto expanded = expand_hostlist(compressed);
    return expanded && std::ranges::equal(*expanded, names) ? compressed : fmt::format("{}", fmt::join(names, ","));
}

} // namespace jarvis
