// Which jobs are meant: the filters that commands share.
#pragma once

#include "base/result.hpp"
#include "client.pb.h"
#include "client/command_line.hpp"
#include "client/session.hpp"

#include <span>
#include <string>
#include <string_view>

namespace jarvis::client {

// Of "alice", or of a number. not_found: no such user here.
Result<std::uint32_t> user_id(const std::string& name);

// The values of the options, as often as they were given, into the filter. `invalid` is wrong usage, `not_found` a name
// that nobody has.
Result<void> filter_ids(wire::JobFilter& filter, std::span<const std::string> lists);
Result<void> filter_users(wire::JobFilter& filter, std::span<const std::string> lists);
Result<void> filter_partitions(wire::JobFilter& filter, std::span<const std::string> lists);
Result<void> filter_names(wire::JobFilter& filter, std::span<const std::string> lists);
// "all" are all states. True in `ended` when one of them is a state that jobs end in.
Result<void> filter_states(wire::JobFilter& filter, std::span<const std::string> lists, bool& ended);

// The ids that nobody knows: "7,9-12,13_[1-4]".
std::string unknown_text(const Jobs& jobs);
// Reports them, and returns not_found if there are any, else done.
Exit report_unknown(const Program& program, const Jobs& jobs);
// Reports each item that failed, and returns the worst of them.
Exit report_changes(const Program& program, const wire::ChangeReply& reply);

// A text of several lines as a terminal may have it: each of them is made safe on its own.
std::string safe_lines(std::string_view text);

// For what was typed: wrong usage, or no such name.
int report_filter_error(const Program& program, const Error& error);

} // namespace jarvis::client
