// Submitting so that a lost answer neither loses the job nor doubles it, and waiting for a job's end.
#pragma once

#include "base/result.hpp"
#include "client.pb.h"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace jarvis::client {

// 16 random bytes, and how people see and type them.
Result<std::string> make_request_id();
std::string request_id_text(std::string_view id);
Result<std::string> parse_request_id(std::string_view text);

struct RetryLimits {
    std::chrono::milliseconds unreachable{std::chrono::seconds(5)};  // nothing was sent yet
    std::chrono::milliseconds unknown{std::chrono::seconds(30)};     // it was sent and nobody said what became of it
};
// With JARVIS_RETRY ("10s", "0s") in the environment, both are that.
Result<RetryLimits> retry_limits_from_environment();

// Tells a person, once, that something takes longer.
using Talk = std::function<void(std::string_view)>;

// Sends the same request id until somebody answers. `unavailable` means that nobody did; the message then tells the
// request id wherever the job may have been taken all the same.
Result<wire::Reply> submit(std::string_view program, const wire::Submit& submit, const RetryLimits& limits, const Talk& talk);

// However long it takes, over restarts of the controller.
Result<wire::JobDetail> wait_for_end(std::string_view program, std::uint64_t job, const Talk& talk);

// What jsub --wait returns for a job's end: its exit code, 128+signal, or exit_without_status.
int exit_status(const wire::JobEnd& end);
// "job 7: TIMEOUT: time limit of 1h reached"
std::string end_text(std::uint64_t job, const wire::JobEnd& end);

} // namespace jarvis::client
