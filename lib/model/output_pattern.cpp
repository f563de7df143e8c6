#include "model/output_pattern.hpp"

#include "base/escape.hpp"

#include <algorithm>

namespace jarvis {

namespace {

constexpr std::string_view known_places = "jxuAaN%";

// A name is one word of the path: with a slash it would choose the folder.
std::string without_slashes(std::string text)
{
    std::ranges::replace(text, '/', '_');
    return text;
}

std::string value_of(char place, const OutputPatternValues& values)
{
    switch (place) {
    case 'j':
        return values.job;
    case 'x':
        return without_slashes(values.name);
    case 'u':
        return values.user;
    case 'A':
        return values.array_job.empty() ? values.job : values.array_job;
    case 'a':
        return values.array_index;
    case 'N':
        return values.node;
    case '%':
        return "%";
    default:
        return {'%', place};
    }
}

} // namespace

Result<void> check_output_pattern(std::string_view pattern)
{
    const std::string shown = escape_for_terminal(pattern);
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '\0')
            return fail(Errc::invalid, "path \"{}\", column {}: a path has no NUL byte", shown, i + 1);
        if (pattern[i] != '%')
            continue;
        if (i + 1 == pattern.size())
            return fail(Errc::invalid, "path \"{}\", column {}: a % at the end; write %% for a percent sign", shown, i + 1);
        if (known_places.find(pattern[i + 1]) == std::string_view::npos)
            return fail(Errc::invalid, "path \"{}\", column {}: unknown %{}; known are %j %x %u %A %a %N and %%", shown, i + 1,
                        escape_for_terminal(pattern.substr(i + 1, 1)));
        ++i;
    }
    return {};
}

std::string expand_output_pattern(std::string_view pattern, const OutputPatternValues& values)
{
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] == '%' && i + 1 < pattern.size())
            path += value_of(pattern[++i], values);
        else
            path += pattern[i];
    }
    return path;
}

} // namespace jarvis
