// Result<T>: what a call that can fail returns. Bad input, a lost peer, a full disk are results; a bug is an assertion.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace jarvis {

// The kinds of failure that a caller acts on; the message is for people.
enum class Errc {
    invalid,     // what was asked makes no sense: do not repeat it unchanged
    not_found,   // no such job, node, partition, user, file
    denied,      // the caller may not do this
    unavailable, // not now, or the outcome is unknown: the same request may be repeated
    corrupt      // stored or received data is not what it should be
};

// A message names the object, the action and the cause, without capital or full stop:
// "job 81: cannot create cgroup on n12: no space left on device".
struct Error {
    Errc code = Errc::invalid;
    std::string message;

    friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

template <class... Args>
std::unexpected<Error> fail(Errc code, fmt::format_string<Args...> format, Args&&... args)
{
    return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// Puts the context before the message of a failure that is passed on: "node n12: <message>".
template <class... Args>
std::unexpected<Error> fail(const Error& cause, fmt::format_string<Args...> format, Args&&... args)
{
    return std::unexpected(
        Error{cause.code, fmt::format("{}: {}", fmt::format(format, std::forward<Args>(args)...), cause.message)});
}

// The failure that errno describes: "<what>: no space left on device".
Error system_error(int error_number, std::string_view what);

} // namespace jarvis
