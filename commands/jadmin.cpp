// jadmin: what administrators ask of the controller.
#include "base/escape.hpp"
#include "base/nearest.hpp"
#include "client/json.hpp"
#include "client/query.hpp"

using namespace jarvis;
using namespace jarvis::client;

namespace {

constexpr Option options[] = {{0, "json", "", "print JSON (schema jarvis.admin/1)"}};

struct Action {
    std::vector<std::string> words;
    wire::Admin::Action action;
};

const std::vector<Action>& actions()
{
    static const std::vector<Action> all{
        {{"ping"}, wire::Admin::PING},         {{"reconfigure"}, wire::Admin::RECONFIGURE}, {{"config", "diff"}, wire::Admin::CONFIG_DIFF},
        {{"snapshot"}, wire::Admin::SNAPSHOT}, {{"shutdown"}, wire::Admin::SHUTDOWN},
    };
    return all;
}

Result<wire::Admin::Action> find_action(std::span<const std::string> words)
{
    std::vector<std::string> spelled;
    const auto typed = fmt::format("{}", fmt::join(words, " "));
    for (const auto& one : actions()) {
        spelled.push_back(fmt::format("{}", fmt::join(one.words, " ")));
        if (spelled.back() == typed)
            return one.action;
    }
    const std::vector<std::string_view> known(spelled.begin(), spelled.end());
    if (words.empty())
        return fail(Errc::invalid, "what to do? One of: {}", fmt::join(known, ", "));
    return fail(Errc::invalid, "unknown action \"{}\"{}; known are: {}", escape_for_terminal(typed), did_you_mean(typed, known),
                fmt::join(known, ", "));
}

// The controller's texts have several lines, each of them to be made safe on its own.
std::string safe_lines(std::string_view text)
{
    std::string safe;
    while (!text.empty()) {
        const auto end = text.find('\n');
        safe += escape_for_terminal(text.substr(0, end)) + "\n";
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return safe;
}

int run(const Program& program, const CommandLine& line)
{
    const auto action = find_action(line.words);
    if (!action)
        return usage_error(program, action.error().message);
    wire::Request request;
    request.mutable_admin()->set_action(*action);
    const auto reply = ask_once(program.name, std::move(request));
    if (!reply)
        return report(program, reply.error());
    if (line.has("json"))
        fmt::print("{}", admin_json(fmt::format("{}", fmt::join(line.words, " ")), reply->admin()));
    else
        fmt::print("{}", safe_lines(reply->admin().text()));
    return static_cast<int>(Exit::done);
}

} // namespace

int main(int argc, char** argv)
{
    const Program program{
        .name = "jadmin",
        .summary = "Administer the controller.",
        .usage = {"ping", "reconfigure", "config diff", "snapshot", "shutdown"},
        .options = options,
        .notes = "ping         say whether the controller answers, and its state\n"
                 "reconfigure  read the configuration again and use it, whole or not at all\n"
                 "config diff  what reconfigure would change, and what needs a restart\n"
                 "snapshot     write a snapshot of the state now\n"
                 "shutdown     stop the controller in order; jobs run on",
    };
    return run_program(program, argc, argv, run);
}
