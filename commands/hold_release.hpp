// What jhold, jrelease, jsuspend, jresume and jrequeue share: one action on a list of jobs.
#pragma once

#include "client/json.hpp"
#include "client/query.hpp"

namespace jarvis::client {

inline constexpr Option hold_options[] = {{0, "json", "", "print JSON (schema jarvis.change/1)"}};

inline int change_listed_jobs(const Program& program, const CommandLine& line, wire::ChangeJobs::Action action)
{
    if (line.words.empty())
        return usage_error(program, "which jobs? Give ids: 7 or 7,9-12, tasks of arrays 7_3 or 7_[1-4]");
    wire::Request request;
    request.mutable_change_jobs()->set_action(action);
    if (auto ok = filter_ids(*request.mutable_change_jobs()->mutable_filter(), line.words); !ok)
        return usage_error(program, ok.error().message);
    const auto reply = ask_once(program.name, std::move(request));
    if (!reply)
        return report(program, reply.error());
    if (line.has("json"))
        fmt::print("{}", change_json(reply->change()));
    return static_cast<int>(report_changes(program, reply->change()));
}

} // namespace jarvis::client
