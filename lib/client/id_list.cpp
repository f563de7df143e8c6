#include "client/id_list.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace jarvis::client {

namespace {

Result<std::uint64_t> parse_id(std::string_view text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > max_job_id.value)
        return fail(Errc::invalid, "\"{}\" is no job id; ids are numbers such as 7, lists of them 7,9-12", escape_for_terminal(text));
    return value;
}

Result<void> add_range(std::set<std::uint64_t>& ids, std::string_view text)
{
    const auto dash = text.find('-');
    const auto first = parse_id(text.substr(0, dash));
    if (!first)
        return std::unexpected(first.error());
    auto last = first;
    if (dash != std::string_view::npos)
        last = parse_id(text.substr(dash + 1));
    if (!last)
        return std::unexpected(last.error());
    if (*last < *first)
        return fail(Errc::invalid, "the range {} ends before it begins", text);
    if (*last - *first >= max_listed_ids)
        return fail(Errc::invalid, "the range {} has more than {} ids", text, max_listed_ids);
    for (auto id = *first; id <= *last; ++id)
        ids.insert(id);
    if (ids.size() > max_listed_ids)
        return fail(Errc::invalid, "more than {} ids", max_listed_ids);
    return {};
}

} // namespace

Result<std::vector<std::string>> split_list(std::string_view text, std::string_view what)
{
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        if (end == begin)
            return fail(Errc::invalid, "an empty {} in the list \"{}\"", what, escape_for_terminal(text));
        parts.emplace_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

Result<std::vector<std::string>> split_lists(std::span<const std::string> texts, std::string_view what)
{
    std::vector<std::string> all;
    for (const auto& text : texts) {
        auto parts = split_list(text, what);
        if (!parts)
            return parts;
        all.insert(all.end(), parts->begin(), parts->end());
    }
    return all;
}

Result<std::vector<JobId>> parse_id_lists(std::span<const std::string> texts)
{
    const auto parts = split_lists(texts, "job id");
    if (!parts)
        return std::unexpected(parts.error());
    std::set<std::uint64_t> ids;
    for (const auto& part : *parts)
        if (auto added = add_range(ids, part); !added)
            return std::unexpected(added.error());
    std::vector<JobId> result;
    for (auto id : ids)
        result.push_back(JobId{id});
    return result;
}

Result<std::vector<JobId>> parse_id_list(std::string_view text)
{
    const std::string one(text);
    return parse_id_lists(std::span(&one, 1));
}

std::string format_id_list(std::vector<std::uint64_t> ids)
{
    std::ranges::sort(ids);
    std::string text;
    for (std::size_t first = 0; first < ids.size();) {
        auto last = first;
        while (last + 1 < ids.size() && ids[last + 1] <= ids[last] + 1)
            ++last;
        text += fmt::format("{}{}", text.empty() ? "" : ",", ids[first]);
        if (ids[last] != ids[first])
            text += fmt::format("-{}", ids[last]);
        first = last + 1;
    }
    return text;
}

} // namespace jarvis::client
