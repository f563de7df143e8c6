#include "base/ids.hpp"

#include <charconv>

namespace jarvis {

std::optional<JobId> job_id_from_text(std::string_view text)
{
    JobId id;
    const char* const end = text.data() + text.size();
    auto [at, error] = std::from_chars(text.data(), end, id.value);
    if (error == std::errc() && at != end && *at == '_') {
        auto [rest, task_error] = std::from_chars(at + 1, end, id.task);
        at = rest;
        error = task_error;
        if (id.task > max_array_task)
            return std::nullopt;
    }
    if (error != std::errc() || at != end || id.value == 0 || id.value > max_job_id.value || text != fmt::format("{}", id))
        return std::nullopt; // with zeros in front it is another text of the same number
    return id;
}

} // namespace jarvis
