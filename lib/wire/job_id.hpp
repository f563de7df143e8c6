// Job ids in messages: `job_id`, and `task` for a task of an array.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"

#include <cstdint>

namespace jarvis::wire {

Result<JobId> job_id_from(std::uint64_t number, std::uint32_t task = JobId::no_task); // 1 .. max_job_id, 0 .. max_array_task

// Of any message that has both fields. job_id_of() believes nothing; job_id_in() is for those that were checked, or are ours.
template <class Message>
Result<JobId> job_id_of(const Message& message)
{
    return job_id_from(message.job_id(), message.has_task() ? message.task() : JobId::no_task);
}
template <class Message>
JobId job_id_in(const Message& message)
{
    return {message.job_id(), message.has_task() ? message.task() : JobId::no_task};
}
template <class Message>
void put_job_id(JobId id, Message& message)
{
    message.set_job_id(id.value);
    if (id.is_task())
        message.set_task(id.task);
    else
        message.clear_task();
}

} // namespace jarvis::wire
