#include "jadmin_node.hpp"

#include "base/escape.hpp"
#include "base/hostlist.hpp"
#include "client/json.hpp"
#include "client/node_questions.hpp"
#include "client/query.hpp"
#include "wire/convert.hpp"

#include <fmt/format.h>

namespace jarvis {

using namespace client;

int run_node(const Program& program, const CommandLine& line)
{
    if (line.words.size() < 2 || line.words[1] != "check")
        return usage_error(program, "node: what to do? It is \"node check NODES\"");
    std::vector<std::string> names;
    for (std::size_t i = 2; i < line.words.size(); ++i) {
        const auto some = expand_hostlist(line.words[i]);
        if (!some)
            return usage_error(program, fmt::format("{}: {}", escape_for_terminal(line.words[i]), some.error().message));
        names.insert(names.end(), some->begin(), some->end());
    }
    if (names.empty())
        return usage_error(program, "node check: which nodes?");
    auto session = Session::open(program.name);
    if (!session)
        return report(program, session.error());
    const auto answers = ask_check(*session, names);
    if (!answers)
        return report(program, answers.error());
    auto worst = Exit::done;
    if (line.has("json"))
        fmt::print("{}", node_check_json(*answers));
    bool first = true;
    for (const auto& item : answers->items()) {
        if (item.has_error()) {
            const auto error = wire::from_message(item.error());
            worst = worse(worst, exit_for(error.code));
            report(program, escape_for_terminal(error.message), exit_for(error.code));
        } else if (!line.has("json")) {
            fmt::print("{}{}", std::exchange(first, false) ? "" : "\n", safe_lines(item.check().text()));
        }
    }
    for (const auto& name : answers->unknown_names())
        worst = worse(worst, static_cast<Exit>(report(program, "no such node: " + escape_for_terminal(name), Exit::not_found)));
    return static_cast<int>(worst);
}

} // namespace jarvis
