// From toml++'s tree to ours.
#include "config/raw.hpp"

#include "base/escape.hpp"
#include "config/toml.hpp"

#include <algorithm>

namespace jarvis::config {

namespace {

class Converter {
    const std::string& file_;

    Place place(const toml::source_region& region) const
    {
        return {file_, static_cast<std::uint32_t>(region.begin.line), static_cast<std::uint32_t>(region.begin.column)};
    }

    RawArray array(const toml::array& from) const
    {
        RawArray to;
        for (const auto& node : from)
            to.push_back(value(node));
        return to;
    }

    RawValue value(const toml::node& node) const
    {
        RawValue to{place(node.source()), RawOther{"something else"}};
        if (auto* text = node.as_string())
            to.value = text->get();
        else if (auto* integer = node.as_integer())
            to.value = integer->get();
        else if (auto* boolean = node.as_boolean())
            to.value = boolean->get();
        else if (auto* inner = node.as_table())
            to.value = table(*inner);
        else if (auto* list = node.as_array())
            to.value = array(*list);
        else
            to.value = RawOther{node.is_floating_point() ? "a fraction" : "a date or time"};
        return to;
    }

public:
    explicit Converter(const std::string& file) : file_(file) {}

    RawTable table(const toml::table& from) const
    {
        RawTable to;
        for (const auto& [key, node] : from)
            to.push_back({std::string(key.str()), place(key.source()), value(node)});
        std::ranges::sort(to, {}, [](const RawEntry& e) { return std::pair(e.key_place.line, e.key_place.column); });
        return to;
    }
};

// toml++ begins with a capital, ends without a full stop and may hold bytes of the file.
std::string lower_first(std::string_view description)
{
    std::string text = escape_for_terminal(description);
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

} // namespace

std::expected<RawTable, Problem> parse_toml(std::string_view text, const std::string& file)
{
    auto result = toml::parse(text, file);
    if (result.failed()) {
        const auto& error = result.error();
        return std::unexpected(Problem{{file, static_cast<std::uint32_t>(error.source().begin.line),
                                        static_cast<std::uint32_t>(error.source().begin.column)},
                                       lower_first(error.description())});
    }
    return Converter(file).table(result.table());
}

std::string_view describe(const RawValue& value)
{
    if (auto* other = std::get_if<RawOther>(&value.value))
        return other->description;
    constexpr std::array<std::string_view, 5> names{"a string", "an integer", "a boolean", "a table", "an array"};
    return names[value.value.index()];
}

} // namespace jarvis::config
