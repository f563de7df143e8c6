// Ends, failures, and the small checks that the other conversions share.
#include "wire/convert.hpp"

#include "wire/limits.hpp"

#include <algorithm>

namespace jarvis::wire {

namespace {

// As much of it as whoever reads it takes. A message may quote what was wrong with somebody's bytes.
std::string readable(std::string text, std::size_t limit)
{
    text.resize(std::min(text.size(), limit));
    std::ranges::replace(text, '\0', '?');
    return text;
}

Result<MemorySize> memory_from(std::int64_t bytes, std::string_view field)
{
    if (bytes < 0 || bytes > limits::memory)
        return fail(Errc::corrupt, "{}: {} bytes is out of range", field, bytes);
    return MemorySize{bytes};
}

} // namespace

Result<void> check_text(std::string_view text, std::size_t limit, std::string_view field)
{
    if (text.size() > limit)
        return fail(Errc::invalid, "{}: {} bytes long; at most {} are possible", field, text.size(), limit);
    if (text.find('\0') != std::string_view::npos)
        return fail(Errc::invalid, "{}: contains a NUL byte", field);
    return {};
}

Result<JobId> job_id_from(std::uint64_t number, std::uint32_t task)
{
    if (number == 0 || number > max_job_id.value)
        return fail(Errc::corrupt, "job id {} is out of range", number);
    if (task != JobId::no_task && task > max_array_task)
        return fail(Errc::corrupt, "task {} of job {} is out of range", task, number);
    return JobId{number, task};
}

Result<WallTime> wall_time_from(std::int64_t us, std::string_view field)
{
    if (us < 0 || us > limits::wall_us)
        return fail(Errc::corrupt, "{}: {} is no time between the years 1970 and 9999", field, us);
    return WallTime{std::chrono::microseconds(us)};
}

Result<Duration> duration_from(std::int64_t us, std::string_view field)
{
    if (us < 0 || us > limits::duration_us)
        return fail(Errc::corrupt, "{}: {} microseconds is out of range", field, us);
    return Duration{us};
}

Result<BlobHash> hash_from(std::string_view bytes, std::string_view field)
{
    BlobHash hash;
    if (bytes.size() != hash.size())
        return fail(Errc::corrupt, "{}: a hash has {} bytes, not {}", field, hash.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), hash.begin());
    return hash;
}

std::string hash_bytes(const BlobHash& hash) { return {hash.begin(), hash.end()}; }

Result<JobState> job_state_from(std::uint32_t number)
{
    for (auto state : all_job_states)
        if (static_cast<std::uint32_t>(state) == number)
            return state;
    return fail(Errc::corrupt, "there is no job state {}", number);
}

Usage to_message(const jarvis::Usage& usage)
{
    Usage message;
    message.set_elapsed_us(usage.elapsed.count());
    message.set_cpu_user_us(usage.cpu_user.count());
    message.set_cpu_system_us(usage.cpu_system.count());
    if (usage.memory_peak)
        message.set_memory_peak(usage.memory_peak->bytes);
    if (!usage.detail)
        return message;
    const auto& detail = *usage.detail;
    auto& out = *message.mutable_detail();
    if (detail.throttled)
        out.set_throttled_us(detail.throttled->count());
    if (detail.cpu_pressure)
        out.set_cpu_pressure_us(detail.cpu_pressure->count());
    if (detail.memory_pressure)
        out.set_memory_pressure_us(detail.memory_pressure->count());
    if (detail.io_pressure)
        out.set_io_pressure_us(detail.io_pressure->count());
    if (detail.major_faults)
        out.set_major_faults(*detail.major_faults);
    if (detail.read)
        out.set_read(detail.read->bytes);
    if (detail.written)
        out.set_written(detail.written->bytes);
    if (detail.page_cache)
        out.set_page_cache(detail.page_cache->bytes);
    if (detail.largest_process)
        out.set_largest_process(detail.largest_process->bytes);
    return message;
}

namespace {

Result<jarvis::UsageDetail> from_message(const UsageDetail& message)
{
    jarvis::UsageDetail detail;
    struct {
        bool there;
        std::int64_t us;
        std::optional<Duration>* into;
        std::string_view field;
    } const times[] = {{message.has_throttled_us(), message.throttled_us(), &detail.throttled, "throttled time"},
                       {message.has_cpu_pressure_us(), message.cpu_pressure_us(), &detail.cpu_pressure, "processor pressure"},
                       {message.has_memory_pressure_us(), message.memory_pressure_us(), &detail.memory_pressure, "memory pressure"},
                       {message.has_io_pressure_us(), message.io_pressure_us(), &detail.io_pressure, "I/O pressure"}};
    for (const auto& time : times) {
        if (!time.there)
            continue;
        auto duration = duration_from(time.us, time.field);
        if (!duration)
            return std::unexpected(duration.error());
        *time.into = *duration;
    }
    struct {
        bool there;
        std::int64_t bytes;
        std::optional<MemorySize>* into;
        std::string_view field;
    } const sizes[] = {{message.has_read(), message.read(), &detail.read, "bytes read"},
                       {message.has_written(), message.written(), &detail.written, "bytes written"},
                       {message.has_page_cache(), message.page_cache(), &detail.page_cache, "page cache"},
                       {message.has_largest_process(), message.largest_process(), &detail.largest_process, "largest process"}};
    for (const auto& size : sizes) {
        if (!size.there)
            continue;
        auto memory = memory_from(size.bytes, size.field);
        if (!memory)
            return std::unexpected(memory.error());
        *size.into = *memory;
    }
    if (message.has_major_faults()) {
        if (message.major_faults() < 0)
            return fail(Errc::corrupt, "major faults: {} is out of range", message.major_faults());
        detail.major_faults = message.major_faults();
    }
    return detail;
}

} // namespace

Result<jarvis::Usage> from_message(const Usage& message)
{
    jarvis::Usage usage;
    struct {
        std::int64_t us;
        Duration* into;
        std::string_view field;
    } const times[] = {{message.elapsed_us(), &usage.elapsed, "elapsed time"},
                       {message.cpu_user_us(), &usage.cpu_user, "user CPU time"},
                       {message.cpu_system_us(), &usage.cpu_system, "system CPU time"}};
    for (const auto& time : times) {
        auto duration = duration_from(time.us, time.field);
        if (!duration)
            return fail(duration.error(), "usage");
        *time.into = *duration;
    }
    if (message.has_memory_peak()) {
        auto peak = memory_from(message.memory_peak(), "memory peak");
        if (!peak)
            return fail(peak.error(), "usage");
        usage.memory_peak = *peak;
    }
    if (message.has_detail()) {
        auto detail = from_message(message.detail());
        if (!detail)
            return fail(detail.error(), "usage");
        usage.detail = std::move(*detail);
    }
    return usage;
}

JobEnd to_message(const jarvis::JobEnd& end)
{
    JobEnd message;
    message.set_state(static_cast<std::uint32_t>(end.state));
    message.set_end_class(static_cast<std::uint32_t>(end.end_class));
    if (end.exit_code)
        message.set_exit_code(*end.exit_code);
    message.set_signal(end.signal);
    message.set_cause(readable(end.cause, limits::cause));
    return message;
}

Result<jarvis::JobEnd> from_message(const JobEnd& message)
{
    jarvis::JobEnd end;
    auto state = job_state_from(message.state());
    if (!state)
        return fail(state.error(), "end of a job");
    if (!is_final(*state))
        return fail(Errc::corrupt, "end of a job: {} is no state to end in", name(*state));
    end.state = *state;
    if (message.end_class() > static_cast<std::uint32_t>(EndClass::system))
        return fail(Errc::corrupt, "end of a job: there is no end class {}", message.end_class());
    end.end_class = static_cast<EndClass>(message.end_class());
    if (message.has_exit_code()) {
        // Exit codes have eight bits (wait(2), WEXITSTATUS).
        if (message.exit_code() < 0 || message.exit_code() > 255)
            return fail(Errc::corrupt, "end of a job: there is no exit code {}", message.exit_code());
        end.exit_code = message.exit_code();
    }
    if (message.signal() < 0 || message.signal() > limits::signal)
        return fail(Errc::corrupt, "end of a job: there is no signal {}", message.signal());
    end.signal = message.signal();
    if (auto text = check_text(message.cause(), limits::cause, "cause"); !text)
        return fail(text.error(), "end of a job");
    end.cause = message.cause();
    return end;
}

Error to_message(const jarvis::Error& error)
{
    Error message;
    message.set_code(static_cast<std::uint32_t>(error.code));
    message.set_message(error.message.substr(0, limits::message));
    return message;
}

jarvis::Error from_message(const Error& message)
{
    auto code = message.code() <= static_cast<std::uint32_t>(Errc::corrupt) ? static_cast<Errc>(message.code())
                                                                          : Errc::unavailable;
    return {code, message.message().substr(0, limits::message)};
}

} // namespace jarvis::wire
