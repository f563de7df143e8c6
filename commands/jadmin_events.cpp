#include "jadmin_events.hpp"

#include "base/escape.hpp"
#include "client/event_text.hpp"
#include "client/json.hpp"
#include "client/session.hpp"

#include <charconv>
#include <cstdio>
#include <thread>

namespace jarvis {

using namespace client;

namespace {

constexpr std::uint32_t default_last = 20; // groups, as a screen has lines

Result<std::uint64_t> number_of(const CommandLine& line, std::string_view option)
{
    const auto text = *line.last(option);
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end)
        return fail(Errc::invalid, "--{}: \"{}\" is not a number", option, escape_for_terminal(text));
    return number;
}

Result<wire::ReadEvents> request_of(const CommandLine& line)
{
    wire::ReadEvents request;
    request.set_follow(line.has("follow"));
    request.set_last(default_last);
    if (line.has("from") && line.has("last"))
        return fail(Errc::invalid, "--from and --last exclude each other");
    if (line.has("from")) {
        const auto from = number_of(line, "from");
        if (!from)
            return std::unexpected(from.error());
        request.set_from(*from);
    }
    if (line.has("last")) {
        const auto last = number_of(line, "last");
        if (!last || *last > std::numeric_limits<std::uint32_t>::max())
            return last ? fail(Errc::invalid, "--last: {} is too large", *last) : std::unexpected(last.error());
        request.set_last(static_cast<std::uint32_t>(*last));
    }
    return request;
}

// Asks once, prints what comes, and moves the request behind it.
Result<void> read(std::string_view program, wire::ReadEvents& events, bool as_json, bool& reached)
{
    auto session = Session::open(program);
    if (!session)
        return std::unexpected(session.error());
    wire::Request request;
    *request.mutable_read_events() = events;
    return session->ask(std::move(request), [&](wire::Reply&& reply) {
        reached = true;
        for (const auto& group : reply.events().groups())
            fmt::print("{}", as_json ? events_json(group) : event_lines(group));
        std::fflush(stdout);
        events.set_from(reply.sequence() + 1);
    });
}

} // namespace

int run_events(const Program& program, const CommandLine& line)
{
    if (line.words.size() > 1)
        return usage_error(program, fmt::format("\"{}\" is one word too many", escape_for_terminal(line.words[1])));
    auto events = request_of(line);
    if (!events)
        return usage_error(program, events.error().message);
    // Who follows goes on where it was when the controller is back.
    bool reached = false, told = false;
    for (;;) {
        bool answered = false;
        const auto done = read(program.name, *events, line.has("json"), answered);
        reached |= answered;
        if (done)
            return static_cast<int>(Exit::done);
        if (done.error().code != Errc::unavailable || !events->follow() || !reached)
            return report(program, done.error());
        if (answered || !told)
            report(program, done.error().message + "; trying again", Exit::no_answer);
        told = true;
        std::this_thread::sleep_for(std::chrono::seconds(1));
    }
}

} // namespace jarvis
