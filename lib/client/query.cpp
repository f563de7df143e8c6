#include "client/query.hpp"

#include "base/escape.hpp"
#include "client/id_list.hpp"
#include "client/job_text.hpp"
#include "model/job_state.hpp"
#include "wire/convert.hpp"

#include <charconv>
#include <limits>
#include <pwd.h>
#include <unistd.h>

namespace jarvis::client {

Result<std::uint32_t> user_id(const std::string& name)
{
    std::uint32_t number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data(), end, number);
    if (error == std::errc() && rest == end && number != std::numeric_limits<std::uint32_t>::max())
        return number;
    const passwd* account = ::getpwnam(name.c_str()); // one thread, and the entry is used at once
    if (!account)
        return fail(Errc::not_found, "no such user: {}", escape_for_terminal(name));
    return account->pw_uid;
}

Result<void> filter_ids(wire::JobFilter& filter, std::span<const std::string> lists)
{
    const auto ids = parse_id_lists(lists);
    if (!ids)
        return std::unexpected(ids.error());
    for (auto job : ids->jobs)
        filter.add_ids(job);
    for (const auto& selection : ids->tasks)
        *filter.add_selections() = wire::to_message(selection);
    return {};
}

Result<void> filter_users(wire::JobFilter& filter, std::span<const std::string> lists)
{
    const auto names = split_lists(lists, "user");
    if (!names)
        return std::unexpected(names.error());
    for (const auto& name : *names) {
        const auto uid = user_id(name);
        if (!uid)
            return std::unexpected(uid.error());
        filter.add_uids(*uid);
    }
    return {};
}

Result<void> filter_partitions(wire::JobFilter& filter, std::span<const std::string> lists)
{
    const auto names = split_lists(lists, "partition");
    if (!names)
        return std::unexpected(names.error());
    for (const auto& name : *names)
        filter.add_partitions(name);
    return {};
}

Result<void> filter_names(wire::JobFilter& filter, std::span<const std::string> lists)
{
    const auto names = split_lists(lists, "name");
    if (!names)
        return std::unexpected(names.error());
    for (const auto& name : *names)
        filter.add_names(name);
    return {};
}

Result<void> filter_states(wire::JobFilter& filter, std::span<const std::string> lists, bool& ended)
{
    const auto names = split_lists(lists, "state");
    if (!names)
        return std::unexpected(names.error());
    for (const auto& name : *names) {
        if (name == "all" || name == "ALL") {
            filter.clear_states();
            ended = true;
            return {};
        }
        const auto state = parse_job_state(name);
        if (!state)
            return std::unexpected(state.error());
        filter.add_states(static_cast<std::uint32_t>(*state));
        ended |= is_final(*state);
    }
    return {};
}

std::string unknown_text(const Jobs& jobs)
{
    auto text = format_id_list(jobs.unknown_ids);
    for (const auto& selection : jobs.unknown_selections)
        text += (text.empty() ? "" : ",") + selection_text(selection);
    return text;
}

Exit report_unknown(const Program& program, const Jobs& jobs)
{
    if (!jobs.has_unknown())
        return Exit::done;
    const bool one = jobs.unknown_ids.size() + jobs.unknown_selections.size() == 1;
    report(program, fmt::format("no such {}: {}", one ? "job" : "jobs", unknown_text(jobs)), Exit::not_found);
    return Exit::not_found;
}

Exit report_changes(const Program& program, const wire::ChangeReply& reply)
{
    Exit worst = Exit::done;
    for (const auto& item : reply.items()) {
        if (!item.has_error())
            continue;
        const auto error = wire::from_message(item.error());
        const auto what = item.node().empty() ? "job " + changed_text(item) : escape_for_terminal(item.node());
        const auto message = escape_for_terminal(error.message);
        const bool named = message.find(what) != std::string::npos; // most of the controller's messages name their object
        report(program, named ? message : fmt::format("{}: {}", what, message), Exit::failed);
        worst = worse(worst, exit_for(error.code));
    }
    return worst;
}

int report_filter_error(const Program& program, const Error& error)
{
    return error.code == Errc::not_found ? report(program, error) : usage_error(program, error.message);
}

std::string safe_lines(std::string_view text)
{
    std::string safe;
    while (!text.empty()) {
        const auto end = text.find('\n');
        safe += escape_for_terminal(text.substr(0, end)) + "\n";
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return safe;
}

} // namespace jarvis::client
