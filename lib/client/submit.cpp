#include "client/submit.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/exit_codes.hpp"
#include "client/session.hpp"
#include "client/state_text.hpp"
#include "wire/clocks.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sys/random.h>
#include <thread>

namespace jarvis::client {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t request_id_bytes = 16;

// 50 ms, doubled up to a limit.
class Pauses {
    std::chrono::milliseconds next_{50};
    std::chrono::milliseconds longest_;

public:
    explicit Pauses(std::chrono::milliseconds longest) : longest_(longest) {}
    void pause()
    {
        std::this_thread::sleep_for(next_);
        next_ = std::min(next_ * 2, longest_);
    }
};

struct Attempt {
    Result<wire::Reply> reply;
    bool sent = false;
};

// A submit tells the age of its request id, which was made then (boottime_us()).
Attempt attempt(std::string_view program, wire::Request& request, std::int64_t made)
{
    auto session = Session::open(program);
    if (!session)
        return {std::unexpected(session.error()), false};
    request.mutable_submit()->set_age_us(boottime_us() - made);
    return {session->ask(request), true};
}

// The end of a job that the controller no longer knows.
Result<wire::JobDetail> look_in_history(std::string_view program, std::uint64_t job, const Error& unknown)
{
    wire::Request request;
    request.mutable_query_history()->mutable_filter()->add_ids(job);
    const auto jobs = ask_jobs(program, std::move(request));
    if (!jobs)
        return std::unexpected(jobs.error());
    for (const auto& detail : jobs->details)
        if (detail.summary().job_id() == job && detail.summary().has_end())
            return detail;
    return std::unexpected(unknown);
}

} // namespace

Result<std::string> make_request_id()
{
    std::string id(request_id_bytes, '\0');
    if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
        return std::unexpected(system_error(errno, "cannot make a request id"));
    return id;
}

std::string request_id_text(std::string_view id)
{
    std::string text;
    for (unsigned char c : id)
        text += fmt::format("{:02x}", c);
    return text;
}

Result<std::string> parse_request_id(std::string_view text)
{
    auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    std::string id;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        if (digit(text[i]) < 0 || digit(text[i + 1]) < 0)
            break;
        id += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
    }
    if (text.size() != 2 * request_id_bytes || id.size() != request_id_bytes)
        return fail(Errc::invalid, "\"{}\" is no request id; jsub prints them as 32 digits 0-9 a-f", escape_for_terminal(text));
    return id;
}

Result<RetryLimits> retry_limits_from_environment()
{
    const char* text = std::getenv("JARVIS_RETRY");
    if (!text || !*text)
        return RetryLimits{};
    const auto duration = parse_duration(text);
    if (!duration)
        return fail(duration.error(), "JARVIS_RETRY");
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
    return RetryLimits{limit, limit};
}

Result<wire::Reply> submit(std::string_view program, const wire::Submit& submit, const RetryLimits& limits, const Talk& talk)
{
    wire::Request request;
    *request.mutable_submit() = submit;
    Pauses pauses(std::chrono::seconds(1));
    const auto begin = Clock::now();
    const auto made = boottime_us();
    bool sent = false, told = false;
    while (true) {
        auto tried = attempt(program, request, made);
        if (tried.reply || tried.reply.error().code != Errc::unavailable)
            return tried.reply;
        sent |= tried.sent;
        const auto limit = sent ? limits.unknown : limits.unreachable;
        const auto& cause = tried.reply.error().message;
        if (Clock::now() - begin >= limit) {
            if (!sent || submit.test_only())
                return tried.reply;
            return fail(Errc::unavailable, "{}\nwhether the job was taken is not known; \"jq --request {}\" tells", cause,
                        request_id_text(submit.request_id()));
        }
        if (!told)
            talk(fmt::format("{}; trying again for {}", cause, format_duration_exact(std::chrono::duration_cast<Duration>(limit))));
        told = true;
        pauses.pause();
    }
}

Result<wire::JobDetail> wait_for_end(std::string_view program, std::uint64_t job, const Talk& talk)
{
    wire::Request request;
    request.mutable_wait_job()->set_job_id(job);
    bool told = false;
    for (Pauses pauses(std::chrono::seconds(5));; pauses.pause()) {
        auto session = Session::open(program);
        Result<wire::Reply> reply = std::unexpected(Error{});
        if (session) {
            if (told)
                talk("the controller is back");
            told = false;
            pauses = Pauses(std::chrono::seconds(5));
            reply = session->ask(request, std::chrono::milliseconds::max());
        } else {
            reply = std::unexpected(session.error());
        }
        if (reply)
            return std::move(*reply->mutable_ended());
        if (reply.error().code == Errc::not_found)
            return look_in_history(program, job, reply.error());
        if (reply.error().code != Errc::unavailable)
            return std::unexpected(reply.error());
        if (!told)
            talk(fmt::format("{}; still waiting for job {}", reply.error().message, job));
        told = true;
    }
}

int exit_status(const wire::JobEnd& end)
{
    const auto state = state_of(end.state());
    // The limits that Jarvis set end a job whatever its script then did about the signal.
    if (state == JobState::timeout || state == JobState::out_of_memory || state == JobState::node_fail)
        return exit_without_status;
    if (end.has_exit_code())
        return end.exit_code();
    if (end.signal() > 0)
        return exit_of_signal + end.signal();
    return exit_without_status;
}

std::string end_text(std::uint64_t job, const wire::JobEnd& end)
{
    auto text = fmt::format("job {}: {}", job, state_name(end.state()));
    if (!end.cause().empty())
        text += ": " + escape_for_terminal(end.cause());
    else if (end.has_exit_code() && end.exit_code() != 0)
        text += fmt::format(": exit code {}", end.exit_code());
    else if (end.signal() > 0)
        text += fmt::format(": ended by signal {}", signal_name(end.signal()));
    return text;
}

} // namespace jarvis::client
