// What --json prints: one object in one line, with a newline. The schema's name says its version; members are only ever
// added under one version. Ids are strings, times RFC 3339 with offset, durations milliseconds (_ms), sizes bytes
// (_bytes), node lists compressed; bytes that are no UTF-8 are written as \xe9 (in JSON "\\xe9").
#pragma once

#include "base/time.hpp"
#include "client.pb.h"
#include "client/session.hpp"

#include <string>
#include <string_view>

namespace jarvis::client {

std::string jobs_json(const Jobs& jobs, WallTime now);                            // jarvis.jobs/1
std::string submit_json(const wire::SubmitReply& reply, std::string_view request_id); // jarvis.submit/1
std::string end_json(const wire::JobDetail& job, WallTime now);                   // jarvis.end/1
std::string change_json(const wire::ChangeReply& reply);                          // jarvis.change/1
std::string nodes_json(const wire::NodeList& nodes, std::uint64_t sequence);      // jarvis.nodes/1
// One line for each event of a group.                                                jarvis.events/1
std::string events_json(const wire::EventGroupView& group);
std::string node_check_json(const wire::NodeAnswers& answers);                      // jarvis.node_check/1
std::string admin_json(std::string_view action, const wire::AdminReply& reply);   // jarvis.admin/1

} // namespace jarvis::client
