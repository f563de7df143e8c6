#include "client/id_list.hpp"

#include "base/escape.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace jarvis::client {

namespace {

Result<std::uint64_t> parse_id(std::string_view text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value == 0 || value > max_job_id.value)
        return fail(Errc::invalid, "\"{}\" is no job id; ids are numbers such as 7, lists of them 7,9-12, tasks of arrays 7_3 or 7_[1-4]",
                    escape_for_terminal(text));
    return value;
}

struct Ids {
    std::set<std::uint64_t> jobs;
    std::map<std::uint64_t, IndexSet> tasks;
};

Result<void> add_range(Ids& ids, std::string_view text)
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
        ids.jobs.insert(id);
    if (ids.jobs.size() > max_listed_ids)
        return fail(Errc::invalid, "more than {} ids", max_listed_ids);
    return {};
}

// A task, tasks, a job or a range of jobs.
Result<void> add_part(Ids& ids, std::string_view text)
{
    if (text.find_first_of("_[") == std::string_view::npos)
        return add_range(ids, text);
    const auto selection = parse_job_selection(text);
    if (!selection)
        return std::unexpected(selection.error());
    ids.tasks[selection->job] |= *selection->tasks;
    if (ids.tasks.size() > max_listed_ids)
        return fail(Errc::invalid, "more than {} ids", max_listed_ids);
    return {};
}

// Parts are between commas, but for those inside brackets.
Result<void> add_list(Ids& ids, std::string_view text)
{
    for (std::size_t begin = 0; begin <= text.size();) {
        auto end = begin;
        for (bool inside = false; end < text.size() && (inside || text[end] != ','); ++end)
            inside = text[end] == '[' || (inside && text[end] != ']');
        if (end == begin)
            return fail(Errc::invalid, "an empty job id in the list \"{}\"", escape_for_terminal(text));
        if (auto added = add_part(ids, text.substr(begin, end - begin)); !added)
            return added;
        begin = end + 1;
    }
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

Result<IdList> parse_id_lists(std::span<const std::string> texts)
{
    Ids ids;
    for (const auto& text : texts)
        if (auto added = add_list(ids, text); !added)
            return std::unexpected(added.error());
    IdList list{{ids.jobs.begin(), ids.jobs.end()}, {}};
    for (auto& [job, tasks] : ids.tasks)
        if (!ids.jobs.contains(job))
            list.tasks.push_back({job, std::move(tasks)});
    return list;
}

Result<IdList> parse_id_list(std::string_view text)
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
