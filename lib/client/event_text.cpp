#include "client/event_text.hpp"

#include "base/escape.hpp"
#include "base/units.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace jarvis::client {

namespace {

std::string value_text(const wire::EventField& field)
{
    if (field.value_case() == wire::EventField::kNumber)
        return fmt::format("{}", field.number());
    auto text = escape_for_terminal(field.text());
    const bool plain = !text.empty() && std::ranges::none_of(text, [](char c) { return c == ' ' || c == '"' || c == '='; });
    if (plain)
        return text;
    std::string quoted = "\"";
    for (char c : text)
        quoted += c == '"' ? std::string("\\\"") : std::string(1, c);
    return quoted + "\"";
}

std::string cause_text(const wire::EventView& event)
{
    if (event.command().empty())
        return {};
    auto text = "  [" + escape_for_terminal(event.command());
    if (!event.by().empty())
        text += " by " + escape_for_terminal(event.by());
    if (!event.from().empty())
        text += " from " + escape_for_terminal(event.from());
    return text + "]";
}

} // namespace

std::string event_lines(const wire::EventGroupView& group)
{
    std::string lines;
    for (const auto& event : group.events()) {
        lines += fmt::format("{}  {:>4}  {:<16}", format_wall_time(WallTime(Duration(group.wall_us()))), group.sequence(),
                             escape_for_terminal(event.name()));
        if (!event.job().empty())
            lines += fmt::format("  job {}", escape_for_terminal(event.job()));
        if (!event.node().empty())
            lines += fmt::format("  node {}", escape_for_terminal(event.node()));
        for (int i = 0; i < event.fields_size(); ++i)
            lines += fmt::format("{}{}={}", i == 0 ? "  " : " ", escape_for_terminal(event.fields(i).name()), value_text(event.fields(i)));
        lines += cause_text(event) + "\n";
    }
    return lines;
}

} // namespace jarvis::client
