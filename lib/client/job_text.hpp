// Ids of jobs, tasks and arrays as commands print them, of whatever a controller sent.
#pragma once

#include "client.pb.h"

#include <cstddef>
#include <string>

namespace jarvis::client {

// "0-98:2,200"; "?" for what is no set of tasks.
std::string tasks_text(const wire::IndexSet& tasks);
// The array of a task ("7" of 7_3), and of anything else itself.
std::string array_text(const wire::JobSummary& job);
// "7", "7_3"; of an array's own record "7".
std::string job_id_text(const wire::JobSummary& job);
// The same, but of an array "7_[5-99%10]": the tasks that have not started, and how many may run at once; and of tasks
// that ended together without having started "7_[5-99]". What is longer than `most` columns is cut at a comma: "7_[1,5,7,...]".
std::string job_line_text(const wire::JobSummary& job, std::size_t most);
// "7", "7_3", "7_[1-4,9]".
std::string selection_text(const wire::JobSelection& selection);
std::string changed_text(const wire::ChangeReply::Item& item);

} // namespace jarvis::client
