// What every plugin of a kind must do, as checks that anybody can run: `jplugin check` does, and our own tests.
#pragma once

#include "plugin/host.hpp"

#include <functional>
#include <stdexcept>

namespace jarvis::plugin {

class Storage;

// Told before and after each check. A check that crashes the process is the one that was last begun.
struct CheckListener {
    std::function<void(std::string_view name)> begin;
    std::function<void(std::string_view name)> passed;
    std::function<void(std::string_view name, std::string_view why)> failed;
};

// Runs all checks of the kind. `folder` exists, is empty and is the caller's to remove; settings come from the source.
void check_plugin(std::string_view kind, const Source& source, const std::string& folder,
                  const CheckListener& listener);

// --- for those who write checks ---

struct CheckFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class... Args>
void require(bool condition, fmt::format_string<Args...> format, Args&&... args)
{
    if (!condition)
        throw CheckFailed(fmt::format(format, std::forward<Args>(args)...));
}

// The value of a call that has to work.
template <class T>
T need(Result<T> result, std::string_view what)
{
    if (!result)
        throw CheckFailed(fmt::format("{}: {}", what, result.error().message));
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

// A call that has to fail, and how.
template <class T>
void need_failure(const Result<T>& result, Errc code, std::string_view what)
{
    require(!result.has_value(), "{}: worked, and should not have", what);
    require(result.error().code == code, "{}: failed in another way than it should: {}", what, result.error().message);
    require(!result.error().message.empty(), "{}: failed without a message", what);
}

// Runs one check.
void run_check(const CheckListener& listener, std::string_view name, const std::function<void()>& check);

void check_storage(const Source& source, const std::string& folder, const CheckListener& listener);
void check_auth(const Source& source, const CheckListener& listener);
void check_policy(const Source& source, const CheckListener& listener);
// Forks: for a process of one thread without other children, since those that a plugin leaves behind are ended.
void check_runtime(const Source& source, const std::string& folder, const CheckListener& listener);

} // namespace jarvis::plugin
